"""A document under the rules in force: its link, its owner, and the instants at which it warns and turns
stale."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from connectors.base import Connector
from index.config.rules import Rules, by_codeowners
from index.freshness.assess import assess
from index.freshness.properties import mail_of
from index.records import Document


def linked(document: Document, rules: Rules, connector: Connector) -> Document:
    """The document with the link that a person opens: of an attachment, the one of its mail. Raises
    ValueError for a uri that the source cannot have."""
    opened = mail_of(document.uri, document.properties) or document.uri
    link = rules.link(opened, document.properties)
    return replace(document, url=link or connector.url(opened))


def governed(document: Document, rules: Rules, now: datetime) -> Document:
    """The document with its owner and the instants at which it warns and turns stale."""
    governance = rules.govern(document.uri, document.properties, by_codeowners(document))
    found = assess(governance.policy, document.properties, document.modified_at, document.reviewed_at, now)
    return replace(
        document,
        owner=governance.owner,
        owner_source=governance.owner_source,
        owners=list(governance.owners),
        date_used=found.date_used,
        warn_at=found.warn_at,
        stale_at=found.stale_at,
    )
