"""Sources in memory for tests of `freshkb sources`: with a token, a block of keys, and keys of a library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

import connectors.base
from connectors.base import (
    Capabilities,
    ConnectorSettings,
    Context,
    Listing,
    Need,
    OwnersFile,
    SourceUnavailable,
)
from connectors.cache import held
from tests.fakes import MemoryConnector


class VaultSettings(ConnectorSettings):
    place: ClassVar[frozenset[str]] = frozenset({"server", "shelf"})

    server: str
    """Where it is."""
    shelf: str = ""
    """A part of it."""
    token: SecretStr
    """What it wants to see."""
    pin: SecretStr | None = None
    depth: int = 3
    start: tuple[str, ...] = ()


class Vault(MemoryConnector):
    """Documents behind a token. It keeps something in its cache, as a clone would be."""

    settings_model = VaultSettings
    capabilities = Capabilities(token="version", detects=frozenset({"titles"}))

    documents: ClassVar[dict[str, tuple[bytes, dict[str, str] | None]]] = {}
    opens_with: ClassVar[str] = "open-sesame-2026"
    wanting: ClassVar[Sequence[Need]] = ()
    breaks: ClassVar[str] = ""
    """The error that a listing meets on its way."""
    owners: ClassVar[str] = ""
    made: ClassVar[list[Vault]] = []

    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        super().__init__(settings=settings)
        assert isinstance(settings, VaultSettings)
        self.context = context
        self.vault = settings
        self.closed = False
        self.errors = [self.breaks] if self.breaks else []
        for uri, (data, properties) in self.documents.items():
            self.put(uri, data, properties=properties)
        self.made.append(self)

    def needs(self) -> Sequence[Need]:
        return self.wanting

    def probe(self) -> str:
        token = self.vault.token.get_secret_value()
        if token != self.opens_with:
            raise SourceUnavailable(f"The vault at {self.vault.server} refuses the token {token}.")
        with held(self.context.cache) as folder:
            (folder / "clone").write_text("kept")
        return f"vault {self.vault.server}"

    def list(self, folders: Any = None) -> Listing:
        self.probe()
        return super().list(folders)

    def codeowners(self) -> OwnersFile | None:
        return OwnersFile(self.owners) if self.owners else None

    def close(self) -> None:
        self.closed = True


class Columns(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """The column of ids."""
    text: str
    owner: str = ""


class TableSettings(ConnectorSettings):
    place: ClassVar[frozenset[str]] = frozenset({"url"})

    url: str
    query: str = "select"
    columns: Columns
    settings: dict[str, Any] = Field(default_factory=dict)
    first: str = ""
    last: str = ""

    @model_validator(mode="after")
    def _both_ends(self) -> TableSettings:
        if bool(self.first) != bool(self.last):
            raise ValueError("first and last go together")
        return self


class ServiceSettings(ConnectorSettings):
    place: ClassVar[frozenset[str]] = frozenset({"settings"})

    settings: dict[str, Any]
    """What the service wants to know."""

    @field_validator("settings")
    @classmethod
    def _complete(cls, settings: dict[str, Any]) -> dict[str, Any]:
        if missing := {"url", "api_key"} - settings.keys():
            raise ValueError(f"lacks {', '.join(sorted(missing))}")
        return settings


class Service(MemoryConnector):
    """Whose keys only a library knows."""

    settings_model = ServiceSettings

    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        super().__init__({"1.md": b"# One\n"}, settings=settings)


class Table(MemoryConnector):
    """Rows as documents. They are two."""

    settings_model = TableSettings

    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        super().__init__({"1.md": b"# One\n", "2.md": b"# Two\n"}, settings=settings)
        self.context = context


@contextmanager
def installed() -> Iterator[None]:
    """All are types of sources in the block, and the vault is as it was made."""
    before = {name: value for name, value in vars(Vault).items() if name in Vault.__annotations__}
    Vault.documents, Vault.made = {}, []
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(connectors.base.BUILT_IN, "vault", f"{__name__}:Vault")
        patch.setitem(connectors.base.BUILT_IN, "table", f"{__name__}:Table")
        patch.setitem(connectors.base.BUILT_IN, "service", f"{__name__}:Service")
        yield
    for name, value in before.items():
        setattr(Vault, name, value)
