"""The blocks of the audit, and of those who are told of it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    model_validator,
)

from index.config.block import Block, FilePath, Owners, Words, one_or_many
from index.config.services import http, mail_address, mailbox, site, smtp_url
from index.config.units import Duration
from index.freshness.finding import CODES


def _code(text: str) -> str:
    if text not in CODES:
        near = get_close_matches(text, CODES, n=1)
        raise ValueError(f"{text!r} is no check" + (f"; did you mean {near[0]!r}?" if near else ""))
    return text


class Ui(Block):
    """The owners' page."""

    user_header: Words | None = None
    """Header in which a proxy names the user, such as X-Forwarded-User; without one the page is for this
    machine alone."""
    proxies: tuple[Words, ...] = ("127.0.0.1", "::1")
    """Addresses of the proxies that may name users."""
    address: Annotated[str, AfterValidator(site)] | None = None
    """Address under which owners reach the page, such as https://kb.example.org: digests link to it."""


class Audit(Block):
    """The freshness audit."""

    checks: dict[Annotated[str, AfterValidator(_code)], bool] = Field(default_factory=dict)
    """Checks by the code of their findings, such as dead-link: true or false. What is left out is as
    `freshkb audit --help` says."""
    max_lag: Duration | None = Field(default="7d", validate_default=True)
    """Time after which a source that was not listed completely, or not brought up to date, is a finding."""
    count_hits: bool = False
    """Count how often searches show a document, by day, so that the audit names first what is found most
    often. No question is kept."""
    fresh_hits: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of the hits of the last 30 days that should be fresh, from 0 to 1; needs count_hits."""


def _apprise(url: SecretStr) -> SecretStr:
    if "://" not in url.get_secret_value():
        raise ValueError("is no Apprise url, such as slack://…")
    return url


class Person(Block):
    """A person, or a group of persons, under the name that documents, rules and CODEOWNERS give."""

    name: Words | None = None
    """As a mail addresses them: Anna Smith."""
    email: Annotated[Words, AfterValidator(mail_address)] | None = None
    """Where their digests go."""
    manager: Words | None = None
    """Who is told of what they leave open: the name of another owner, or a mail address."""
    members: Owners | None = None
    """Of a group: owners, the first of which is asked to act."""
    rota: Literal["weekly"] | None = None
    """weekly: the members of the group are asked in turn, each for a week from Monday (UTC)."""
    apprise: Annotated[
        tuple[Annotated[SecretStr, AfterValidator(_apprise)], ...],
        BeforeValidator(one_or_many, json_schema_input_type=str | tuple[str, ...]),
    ] = ()
    """Apprise urls on which they are told, too, such as slack://…; best as ${VAR}."""

    @model_validator(mode="after")
    def _rota_of_members(self) -> Person:
        if self.rota and not self.members:
            raise ValueError("rota belongs to a group: name its members")
        return self


def _owners_kind(value: Any) -> str:
    return "<path>" if isinstance(value, str) else "<people>"


class Notify(Block):
    """How owners are told what the audit found; `freshkb notify` and its schedule tell them."""

    sender: Annotated[Words, AfterValidator(mailbox)] | None = Field(default=None, alias="from")
    """The sender of digests: kb@example.org, or "Docs <kb@example.org>"."""
    smtp: Annotated[Words, AfterValidator(smtp_url)] | None = None
    """The mail server: smtp://localhost:25, smtps://user:${PASSWORD}@host or smtp+starttls://…@host:587."""
    period: Duration = Field(default="7d", validate_default=True)
    """A person gets at most one digest in it, and nothing twice unless it has changed; counted from a
    Monday."""
    escalate_after: Duration | None = None
    """Time from the first digest with a finding after which the manager is told, too; left out: never."""
    page: Annotated[Words, AfterValidator(http)] | None = None
    """Address to which digests link, such as that of the report; left out: the owners' page at `ui.address`,
    by a link that is good for its person."""
    owners: (
        Annotated[
            Annotated[FilePath, Tag("<path>")] | Annotated[dict[Words, Person], Tag("<people>")],
            Discriminator(_owners_kind),
        ]
        | None
    ) = None
    """The directory of owners: a CSV file (columns owner, name, email, manager, members, rota, apprise), or
    the same here: {"user:anna": {email: anna@example.org}}."""

    @model_validator(mode="after")
    def _mail_has_a_sender(self) -> Notify:
        if self.smtp and not self.sender:
            raise ValueError("smtp needs from, the sender of the mails, such as kb@example.org")
        return self
