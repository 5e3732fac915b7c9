"""The configuration as it is written: one model for each block of ``freshkb.yaml``.

Of a source block the common keys are here, and all others belong to its connector's own model. What a block
leaves out is None where another block's value stands in for it; `index.config.resolved` puts them together.
A key without a value (``rules:``) counts as left out.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SecretStr,
    StringConstraints,
    Tag,
    model_validator,
)

from connectors.base import Patterns, check_url
from index.config.schedule import Cron
from index.config.units import Duration, Size, written

#: Tags of unions turn up in the locations of pydantic's errors; this mark lets them be taken out again.
TAG_MARK = "<"


class Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in cls.model_fields}


def _one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def check_pattern(text: str) -> str:
    """A gitignore-style pattern, as it is. Raises ValueError when it is none, or could match nothing."""
    if not text.strip() or text.startswith("#"):
        raise ValueError("is blank or a comment, which matches nothing")
    try:
        Patterns((text,))
    except (ValueError, re.error) as error:
        raise ValueError(f'is not a pattern such as "policies/**": {error}') from error
    return text


def _rule_pattern(text: str) -> str:
    if text.startswith("!"):
        raise ValueError("cannot be negated; a later rule may take documents out again")
    return check_pattern(text)


def _ledger(text: str) -> str:
    if text == "sqlite":
        return text
    try:
        # Where its socket is may stand in the query.
        return check_url(text, ("postgresql+psycopg",), host=False)
    except ValueError as error:
        raise ValueError(
            f'should be "sqlite" or a url such as "postgresql+psycopg://user@host/database": it {error}'
        ) from error


def _http(text: str) -> str:
    try:
        return check_url(text, ("http", "https"))
    except ValueError as error:
        raise ValueError(f'should be a url such as "http://localhost:6333": it {error}') from error


def _key_or_none(key: SecretStr) -> SecretStr | None:
    # ``api_key: ${QDRANT_API_KEY:-}`` says that there may be none.
    return key if key.get_secret_value() else None


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
#: One name, or a list of them, the first of which is asked to act.
Owners = Annotated[
    tuple[Text, ...],
    BeforeValidator(_one_or_many, json_schema_input_type=Text | tuple[Text, ...]),
    Field(min_length=1),
]
SourceId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Index(Block):
    store: Literal["edge", "qdrant"] = "edge"
    collection: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=100)] = (
        "kb"
    )
    url: Annotated[str, AfterValidator(_http)] | None = None
    api_key: Annotated[SecretStr, AfterValidator(_key_or_none)] | None = None

    @model_validator(mode="after")
    def _store_and_url_agree(self) -> Index:
        if self.store == "qdrant" and self.url is None:
            raise ValueError("store: qdrant needs the url of the server, such as http://localhost:6333")
        if self.store == "edge" and (self.url or self.api_key):
            raise ValueError("url and api_key belong to store: qdrant; the embedded store has neither")
        return self


class Embedding(Block):
    model: Text = "sentence-transformers/all-MiniLM-L6-v2"
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"


class Freshness(Block):
    """Overrides what it names of the policy above it."""

    warn_after: Duration | None = None
    stale_after: Duration | None = None
    field: Annotated[tuple[Text, ...], BeforeValidator(_one_or_many), Field(min_length=1)] | None = None


def _freshness_kind(value: Any) -> str:
    return "<exempt>" if isinstance(value, str) else "<policy>"


FreshnessOrExempt = Annotated[
    Annotated[Freshness, Tag("<policy>")] | Annotated[Literal["exempt"], Tag("<exempt>")],
    Discriminator(_freshness_kind),
]


class Delete(Block):
    max_fraction: Fraction | None = None
    max_count: Annotated[int, Field(ge=0)] | None = None


class Limits(Block):
    max_size: Size | None = None
    parse_timeout: Duration | None = None


class Defaults(Block):
    owner: Owners | None = None
    freshness: FreshnessOrExempt = Freshness()
    delete: Delete = Delete()
    limits: Limits = Limits()


class Watch(Block):
    debounce: Duration = Field(default="1s", validate_default=True)
    max_wait: Duration = Field(default="15s", validate_default=True)
    sweep: Duration = Field(default="15m", validate_default=True)

    @model_validator(mode="after")
    def _debounce_within_wait(self) -> Watch:
        if self.debounce > self.max_wait:
            longer, shorter = written(self.debounce), written(self.max_wait)
            raise ValueError(f"debounce ({longer}) should not be longer than max_wait ({shorter})")
        return self


class Rule(Block):
    """What holds for documents whose uri matches; the last matching rule that says something wins."""

    match: Annotated[Text, AfterValidator(_rule_pattern)]
    owner: Owners | None = None
    freshness: FreshnessOrExempt | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Rule:
        if self.owner is None and self.freshness is None:
            raise ValueError("a rule should set owner or freshness")
        return self


class Source(Block):
    """The keys that every source has."""

    id: SourceId
    type: Text
    owner: Owners | None = None
    freshness: FreshnessOrExempt = Freshness()
    delete: Delete = Delete()
    limits: Limits = Limits()
    watch: Watch = Watch()
    rules: tuple[Rule, ...] = ()


class Schedules(Block):
    """Cron expressions for `freshkb serve`; what is left out is not run."""

    sync: Cron | None = None
    audit: Cron | None = None
    verify: Cron | None = None


class Settings(Block):
    """The whole file."""

    version: Literal[1]
    state_dir: Text = ".freshkb"
    ledger: Annotated[str, AfterValidator(_ledger)] = "sqlite"
    index: Index = Index()
    embedding: Embedding = Embedding()
    defaults: Defaults = Defaults()
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    schedules: Schedules = Schedules()
