"""Names of owners, compared without case and white space."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from index.errors import ConfigError
from index.printable import storable

#: Owners that a message lists.
_LISTED_MAX = 8


#: Few owners have many documents, and an audit asks several times of each.
@lru_cache(maxsize=4096)
def fold(owner: str) -> str:
    """The form that all spellings of an owner share.

    >>> fold("User:Anna ") == fold("user:anna")
    True
    """
    return " ".join(owner.split()).casefold()


def folded(owners: Iterable[str]) -> list[str]:
    return [fold(owner) for owner in owners]


def distinct(owners: Iterable[str]) -> tuple[str, ...]:
    """The owners in order, each in the spelling that comes first, as rows and payloads have them alike."""
    found: dict[str, str] = {}
    for owner in map(storable, owners):
        found.setdefault(fold(owner), owner)
    return tuple(found.values())


def require(owner: str, there: Iterable[str]) -> str:
    """The folded owner. Raises ConfigError, naming those that there are, when it is none of them."""
    known = {fold(name): name for name in sorted(there) if name}
    asked = fold(owner)
    if not asked or asked in known:
        return asked
    if not known:
        raise ConfigError(f"No document is owned by {owner!r}: no document has an owner.")
    from difflib import get_close_matches

    near = get_close_matches(asked, known, n=1, cutoff=0.6)
    hint = f"; did you mean {known[near[0]]}?" if near else "."
    names = list(known.values())
    more = f" and {len(names) - _LISTED_MAX:,} more" if len(names) > _LISTED_MAX else ""
    raise ConfigError(
        f"No document is owned by {owner!r}{hint} Owners are: {', '.join(names[:_LISTED_MAX])}{more}."
    )
