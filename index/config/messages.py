"""Problems of a configuration, in sentences with a line and a key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

from index.config.block import keys_of
from index.config.blocks import COLLECTION, SOURCE_ID, TAG_MARK, Settings, Source
from index.config.text import Location, Problem, Text
from index.redact import REDACTED, redact, secret_name

#: Problems of one message: in a file of another kind, every line is wrong.
_SHOWN_MAX = 100


def explain(error: ValidationError, at: Location, model: type[BaseModel]) -> list[Problem]:
    """pydantic's errors in our words; the block that was validated lies at `at`."""
    return [_problem(details, at, model) for details in error.errors(include_url=False)[:_SHOWN_MAX]]


def _problem(details: ErrorDetails, at: Location, model: type[BaseModel]) -> Problem:
    inside = tuple(part for part in details["loc"] if not str(part).startswith(TAG_MARK))
    where = (*at, *inside)
    if details["type"] == "extra_forbidden":
        known = set(keys_of(_block_at(model, inside[:-1])))
        if model is not Settings and len(inside) == 1:
            known |= set(Source.model_fields)
        return where, f"unknown key{nearest(str(inside[-1]), known)}"
    if details["type"] == "missing":
        return where, "is missing"
    message, value = _words(details), details["input"]
    if isinstance(value, str | int | float | date):
        secret = is_secret(_block_at(model, inside[:-1]), inside)
        message = f"{REDACTED if secret else _shown(value)} {message}"
    return where, message


#: pydantic's kinds of errors in our words, with its details in braces.
_WORDS = {
    "bool_type": "should be true or false",
    "bool_parsing": "should be true or false",
    "int_type": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_parsing_size": "should be a whole number, and not as large",
    "int_from_float": "should be a whole number",
    "float_type": "should be a number",
    "float_parsing": "should be a number",
    "finite_number": "should be a number with an end",
    "greater_than": "should be more than {gt}",
    "greater_than_equal": "should be {ge:g} or more",
    "less_than": "should be less than {lt}",
    "less_than_equal": "should be {le:g} or less",
    "string_too_long": "should have at most {max_length} characters",
    "tuple_type": "should be a list, such as [a, b]",
    "model_type": "should be a block of keys, such as {{key: value}}",
    "dict_type": "should be a block of keys, such as {{key: value}}",
    "too_short": "should have at least {min_length} item",
    "literal_error": "should be {expected}",
}
_PATTERNS = {
    SOURCE_ID: "should begin with a lower-case letter or a digit, and hold only these, - and _",
    COLLECTION: "should begin with a letter or a digit, and hold only these, - and _",
}


def _words(details: ErrorDetails) -> str:
    kind, context, value = details["type"], details.get("ctx", {}), details["input"]
    if kind == "value_error":
        return str(context["error"])
    if kind == "string_type":
        quoted = isinstance(value, bool | int | float | date)
        return "should be text; put it in quotes" if quoted else "should be text"
    if kind == "string_too_short" and context["min_length"] == 1:
        return "should not be empty"
    if kind == "string_pattern_mismatch" and context["pattern"] in _PATTERNS:
        return _PATTERNS[context["pattern"]]
    if kind == "literal_error" and context["expected"] == "'exempt'":
        return "should be exempt, or a block of keys, such as {warn_after: 90d, stale_after: 180d}"
    if kind in _WORDS:
        return _WORDS[kind].format(**context)
    # A kind of error that only other connectors' settings raise.
    return re.sub(r"^(?:Value error, |Assertion failed, |\w+ (?=should ))", "", details["msg"])


def is_secret(block: type[BaseModel], location: Location) -> bool:
    """Whether the value at a location is a secret, by the names of its keys or by its field in the block that
    has it."""
    keys = [part for part in location if isinstance(part, str)]
    about = block.model_fields.get(keys[-1]) if keys else None
    return any(map(secret_name, keys)) or (about is not None and "SecretStr" in str(about.annotation))


def is_secret_type(annotation: Any) -> bool:
    """Whether a field's value is one secret: ``SecretStr``, or that or None."""
    parts = get_args(annotation) if get_origin(annotation) in (Annotated, Union, UnionType) else ()
    return annotation is SecretStr or any(map(is_secret_type, parts))


def _shown(value: object) -> str:
    """The value as the file writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    text = redact(value) if isinstance(value, str) else str(value)
    text = text if len(text) <= 80 else text[:79] + "…"
    return repr(text) if isinstance(value, str) else text


def _block_at(model: type[BaseModel], location: Location) -> type[BaseModel]:
    for part in location:
        about = model.model_fields.get(str(part))
        if about is not None and (block := block_of(about.annotation)) is not None:
            model = block
    return model


def block_of(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as ``Annotated[Rule, …] | None`` or ``tuple[Rule, ...]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((block for part in get_args(annotation) if (block := block_of(part))), None)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint to end a message with; "" when nothing is near and there is too much to list."""
    known = sorted(known)
    if near := get_close_matches(word, known, n=1, cutoff=0.6):
        return f"; did you mean {near[0]}?"
    return f"; known are {', '.join(known)}" if 0 < len(known) <= 12 else ""


def report(name: str, text: Text, origins: Mapping[Location, str], found: list[Problem]) -> str:
    """One line for each problem, of very many the first ones: file, line, key, or the environment variable
    that the value came from."""
    lines = []
    for where, what in sorted(found, key=lambda problem: text.line(problem[0])):
        origin = next(
            (origins[where[:end]] for end in range(len(where), 0, -1) if where[:end] in origins), None
        )
        if origin is not None:
            lines.append(f"{origin}: {what}")
        else:
            lines.append(f"{name}:{text.line(where)}: {key_path(where)}{': ' if where else ''}{what}")
    count = "1 error" if len(lines) == 1 else f"{len(lines)} errors"
    if len(lines) >= _SHOWN_MAX:
        del lines[_SHOWN_MAX:]
        count = f"{_SHOWN_MAX} errors and more"
    return "\n".join([*lines, f"{count}; nothing was done. `freshkb config schema` lists every key."])


def key_path(location: Location) -> str:
    """``sources[0].root``"""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
