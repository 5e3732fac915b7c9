"""The configuration as it is written: one model for each block of ``freshkb.yaml``.

Of a source block the common keys are here, and all others belong to its connector's own model. Keys that a
block leaves out are None where another block's value stands in for them; `index.config.resolved` puts them
together. A key without a value (``rules:``) counts as left out. Editors show the text below a key as its
description (`index.config.schema`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    SecretStr,
    StringConstraints,
    Tag,
    model_validator,
)

from index.anchors.spec import parse as parse_anchor
from index.config.audit_blocks import Audit, Notify, Ui
from index.config.block import Block, FilePath, Owners, Words, check_path, one_or_many
from index.config.patterns import rule_pattern
from index.config.schedule import Cron
from index.config.services import http, ledger_url
from index.config.units import Duration, RetentionSpan, Size, written
from index.freshness.assess import MODIFIED_AT
from index.freshness.link import check as check_link

#: Tags of unions turn up in the locations of pydantic's errors; this mark lets them be taken out again.
TAG_MARK = "<"


def _anchor(text: str) -> str:
    anchor = parse_anchor(text)
    check_path(str(anchor.path or ""))
    return text


def _key_or_none(key: SecretStr) -> SecretStr | None:
    # ``api_key: ${QDRANT_API_KEY:-}`` may leave the key empty.
    return key if key.get_secret_value() else None


SOURCE_ID = r"^[a-z0-9][a-z0-9_-]*$"
COLLECTION = r"^[A-Za-z0-9][A-Za-z0-9_-]*$"
SourceId = Annotated[str, StringConstraints(pattern=SOURCE_ID, max_length=64)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Index(Block):
    """The vector store."""

    store: Literal["edge", "qdrant"] = "edge"
    """edge: embedded, in `state_dir`. qdrant: a Qdrant server."""
    collection: Annotated[str, StringConstraints(pattern=COLLECTION, max_length=100)] = "kb"
    """The name under which other readers of a server find the collection."""
    url: Annotated[str, AfterValidator(http)] | None = None
    """Of the Qdrant server, such as http://localhost:6333; with `store: qdrant` only."""
    api_key: Annotated[SecretStr, AfterValidator(_key_or_none)] | None = None
    """Of the Qdrant server; best as ${QDRANT_API_KEY}."""

    @model_validator(mode="after")
    def _store_and_url_agree(self) -> Index:
        if self.store == "qdrant" and self.url is None:
            raise ValueError("store: qdrant needs the url of the server, such as http://localhost:6333")
        if self.store == "edge" and (self.url or self.api_key):
            raise ValueError("url and api_key belong to store: qdrant; the embedded store has neither")
        return self


class Embedding(Block):
    """The model that makes vectors of text. Another one needs `freshkb reindex`."""

    model: FilePath = "sentence-transformers/all-MiniLM-L6-v2"
    """A sentence-transformers model: its id, or a folder that begins with ./, ../, ~ or /."""
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """In which the model computes. auto: bfloat16 where that is faster and the meaning stays."""
    release_after: Duration | None = None
    """Time without use, such as 10m, after which a process that runs on lets the model and the children of
    the parser go, until they are needed again; left out: never."""


class Freshness(Block):
    """Overrides what it names of the policy above it."""

    warn_after: Duration | None = None
    """Age at which a review is due, such as 90d; default: 90d."""
    stale_after: Duration | None = None
    """Age from which a document is not to be trusted, such as 180d; default: 180d."""
    field: Annotated[tuple[Words, ...], BeforeValidator(one_or_many), Field(min_length=1)] | None = None
    """Where a document's date is: the first of these front-matter fields that it has; modified_at is the
    date of the file."""


def _freshness_kind(value: Any) -> str:
    return "<exempt>" if isinstance(value, str) else "<policy>"


FreshnessOrExempt = Annotated[
    Annotated[Freshness, Tag("<policy>")] | Annotated[Literal["exempt"], Tag("<exempt>")],
    Discriminator(_freshness_kind),
]


class Delete(Block):
    """A sync that would remove more than both of a source's documents asks first; and when the bytes of what
    was removed are gone."""

    max_fraction: Fraction | None = None
    """Share of a source's documents, from 0 to 1; default: 0.2."""
    max_count: Annotated[int, Field(ge=0)] | None = None
    """Documents; default: 10."""
    purge_within: Duration | None = None
    """Time from a removal to the purge of its bytes, such as 24h; default: 24h. One index holds all sources:
    the shortest holds for all."""


class Limits(Block):
    """What a single document may take; one that takes more is quarantined."""

    max_size: Size | None = None
    """Such as 50mb or a number of bytes; default: 50mb."""
    parse_timeout: Duration | None = None
    """Such as 60s; default: 60s."""


class Defaults(Block):
    """What holds for every source that does not say otherwise."""

    owner: Owners | None = None
    """Who answers for documents that name no owner themselves; of several, the first is asked to act."""
    freshness: FreshnessOrExempt = Freshness()
    """When documents warn and turn stale; or: exempt."""
    delete: Delete = Delete()
    """How much a sync may remove without asking, and when its bytes are gone."""
    limits: Limits = Limits()
    """What a single document may take."""


class Watch(Block):
    """When `freshkb watch` syncs what changed."""

    debounce: Duration = Field(default="1s", validate_default=True)
    """Once a folder has been quiet for so long."""
    max_wait: Duration = Field(default="15s", validate_default=True)
    """After so long at the latest, quiet or not."""
    sweep: Duration = Field(default="15m", validate_default=True)
    """How often it looks at the whole source."""

    @model_validator(mode="after")
    def _debounce_within_wait(self) -> Watch:
        if self.debounce > self.max_wait:
            longer, shorter = written(self.debounce), written(self.max_wait)
            raise ValueError(f"debounce ({longer}) should not be longer than max_wait ({shorter})")
        return self


class Rule(Block):
    """What holds for documents whose uri matches; the last matching rule that says something wins."""

    match: Annotated[Words, AfterValidator(rule_pattern)]
    """Documents whose path matches, as in .gitignore: "policies/**"."""
    owner: Owners | None = None
    """Who answers for them, unless they name an owner themselves; of several, the first is asked to act."""
    freshness: FreshnessOrExempt | None = None
    """When they warn and turn stale; or: exempt."""

    @model_validator(mode="after")
    def _says_something(self) -> Rule:
        if self.owner is None and self.freshness is None:
            raise ValueError("a rule should set owner or freshness")
        return self


class Source(Block):
    """The keys that every source has."""

    id: SourceId
    """Names the source everywhere: lower-case letters, digits, - and _. A renamed source is another one."""
    type: Words
    """The connector that reads it, such as files."""
    owner: Owners | None = None
    """Who answers for documents that name no owner themselves; of several, the first is asked to act."""
    freshness: FreshnessOrExempt = Freshness()
    """When documents warn and turn stale; or: exempt."""
    delete: Delete = Delete()
    """How much a sync may remove without asking, and when its bytes are gone."""
    limits: Limits = Limits()
    """What a single document may take."""
    watch: Watch = Watch()
    """When `freshkb watch` syncs what changed."""
    rules: tuple[Rule, ...] = ()
    """Owner and freshness by path; the last rule that matches wins."""
    url: Annotated[Words, AfterValidator(check_link)] | None = None
    """What a person opens, such as https://wiki.example.org/{path}; {stem} is the path without its suffix.
    A document that names its own address keeps it; without a template, links lead to the source itself."""
    link: Annotated[Words, AfterValidator(check_link)] | None = None
    """What a person opens, as a template, for sources whose own url says where they are, such as s3."""


class Log(Block):
    """The log of changes, and the proof that it was not rewritten."""

    anchors: Annotated[
        tuple[Annotated[Words, AfterValidator(_anchor)], ...], BeforeValidator(one_or_many)
    ] = ()
    """Where the log's signed checkpoints go: file:PATH, git:PATH of a repository, syslog:. Choose places
    outside of state_dir, to which a writer of the ledger cannot write at will."""
    key_file: FilePath | None = None
    """File of the Ed25519 key (PEM) that signs checkpoints; default: one that is made in state_dir."""


class Retention(Block):
    """How long documents are kept; of several that match one, the last decides."""

    match: Annotated[Words, AfterValidator(rule_pattern)] | None = None
    """Documents whose path matches, as in .gitignore: "contracts/**"; left out: all of them."""
    source: Words | None = None
    """The id of the source that they are of; left out: any."""
    after: RetentionSpan
    """Time after their date from which they are not kept, such as 7y or 90d; or: never."""
    field: Annotated[tuple[Words, ...], BeforeValidator(one_or_many), Field(min_length=1)] = (MODIFIED_AT,)
    """Where their date is: the first of these front-matter fields or properties that a document has;
    modified_at, the default, is the date of the file. A document without a date that can be read is kept."""


class Schedules(Block):
    """Cron expressions for `freshkb serve`; what is left out is not run."""

    sync: Cron | None = None
    """Bring the index to what the sources hold, such as "*/15 * * * *"."""
    audit: Cron | None = None
    """Judge freshness and write reports, such as "0 7 * * 1"."""
    notify: Cron | None = None
    """Tell owners what the audit finds, such as "0 8 * * 1"."""
    verify: Cron | None = None
    """Compare source, ledger and store, such as "0 3 * * 0"."""
    retention: Cron | None = None
    """Remove documents whose retention has ended, such as "0 2 * * *", without asking their sources. Syncs do
    so, too."""
    purge: Cron | None = None
    """Take the bytes of what was removed off the disk, such as "30 2 * * *". Syncs do so, too, when it is
    due."""


class Settings(Block):
    """The whole file."""

    version: Literal[1]
    """Of this file's layout."""
    state_dir: FilePath = ".freshkb"
    """Folder of the embedded index, the ledger and the reports, relative to this file."""
    ledger: Annotated[str, AfterValidator(ledger_url)] = "sqlite"
    """The database that records every document: sqlite, or postgresql+psycopg://user@host/database."""
    index: Index = Index()
    """The vector store."""
    embedding: Embedding = Embedding()
    """The model that makes vectors of text."""
    defaults: Defaults = Defaults()
    """What holds for every source that does not say otherwise."""
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    """The places that documents come from."""
    retention: tuple[Retention, ...] = ()
    """How long documents are kept; of several rules that match one, the last decides."""
    log: Log = Log()
    """The log of changes, and the proof that it was not rewritten."""
    audit: Audit = Audit()
    """The freshness audit."""
    ui: Ui = Ui()
    """The owners' page."""
    notify: Notify = Notify()
    """How owners are told what the audit found."""
    schedules: Schedules = Schedules()
    """When `freshkb serve` runs what: minute, hour, day, month, weekday."""
