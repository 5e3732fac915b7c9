"""Addresses of the services that a configuration names. Each function returns the same text, and raises
ValueError for one that is no such address."""

from __future__ import annotations

from connectors.base import check_url


def ledger_url(text: str) -> str:
    if text == "sqlite":
        return text
    try:
        # The socket's path may stand in the query.
        return check_url(text, ("postgresql+psycopg",), host=False)
    except ValueError as error:
        raise ValueError(
            f'should be "sqlite" or a url such as "postgresql+psycopg://user@host/database": it {error}'
        ) from error


def http(text: str) -> str:
    try:
        return check_url(text, ("http", "https"))
    except ValueError as error:
        raise ValueError(f'should be a url such as "http://localhost:6333": it {error}') from error
