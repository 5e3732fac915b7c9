"""Patterns of the configuration, checked as they are read."""

from __future__ import annotations

import re

from connectors.base import Patterns


def check_pattern(text: str) -> str:
    """A gitignore-style pattern, as it is. Raises ValueError when it is none, or could match nothing."""
    if not text.strip() or text.startswith("#"):
        raise ValueError("is blank or a comment, which matches nothing")
    try:
        Patterns((text,))
    except (ValueError, re.error) as error:
        raise ValueError(f'is not a pattern such as "policies/**": {error}') from error
    return text


def rule_pattern(text: str) -> str:
    """The pattern of a rule, as it is. Raises ValueError as `check_pattern`, and for a negated one."""
    if text.startswith("!"):
        raise ValueError("cannot be negated; a later rule may take documents out again")
    return check_pattern(text)
