"""What is wrong with a configuration, in sentences with a line and a key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from index.config.settings import TAG_MARK, Settings, Source
from index.config.text import Location, Problem, Text
from index.redact import REDACTED, redact, secret_name

#: Of a file that is something else, every line is wrong.
_SHOWN_MAX = 100


def explain(error: ValidationError, at: Location, model: type[BaseModel]) -> list[Problem]:
    """pydantic's errors in our words; the block that was validated lies at `at`."""
    return [_problem(details, at, model) for details in error.errors(include_url=False)[:_SHOWN_MAX]]


def _problem(details: ErrorDetails, at: Location, model: type[BaseModel]) -> Problem:
    inside = tuple(part for part in details["loc"] if not str(part).startswith(TAG_MARK))
    where, message = (*at, *inside), details["msg"]
    if details["type"] == "extra_forbidden":
        known = set(_block_at(model, inside[:-1]).model_fields)
        if model is not Settings and len(inside) == 1:
            known |= set(Source.model_fields)
        return where, f"unknown key{nearest(str(inside[-1]), known)}"
    if details["type"] == "missing":
        return where, "is missing"
    message = re.sub(r"^(?:Value error, |\w+ (?=should ))", "", message)
    message = message.replace("a valid tuple", "a list").replace("a valid string", "text")
    message = re.sub("a valid dictionary or instance of \\w+", "a block of keys", message)
    value = details["input"]
    if isinstance(value, str | int | float) and details["type"] != "union_tag_invalid":
        secret = _is_secret(_block_at(model, inside[:-1]), inside)
        message = f"{REDACTED if secret else _shown(value)} {message}"
    return where, message


def _is_secret(block: type[BaseModel], location: Location) -> bool:
    keys = [part for part in location if isinstance(part, str)]
    about = block.model_fields.get(keys[-1]) if keys else None
    return any(map(secret_name, keys)) or (about is not None and "SecretStr" in str(about.annotation))


def _shown(value: object) -> str:
    text = redact(value) if isinstance(value, str) else str(value)
    return repr(text if len(text) <= 80 else text[:79] + "…") if isinstance(value, str) else text


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
    return f"; known are {', '.join(known)}" if len(known) <= 12 else ""


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
