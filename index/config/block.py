"""A block of the configuration, and the values that several blocks have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.fields import FieldInfo


class Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _leave_out_empty(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = keys_of(cls)
        return {key: value for key, value in data.items() if value is not None or key not in known}


def keys_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields of a block by the keys that a file writes."""
    return {about.alias or name: about for name, about in model.model_fields.items()}


def one_or_many(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def check_path(text: str) -> str:
    """A path, as it is. Raises ValueError for what is none, and for the home of nobody."""
    if "\0" in text:
        raise ValueError("has a NUL in it, as no path has")
    try:
        Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError("names the home folder of an unknown user") from error
    return text


Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
FilePath = Annotated[Words, AfterValidator(check_path)]
#: One name, or a list of them, the first of which is asked to act.
Owners = Annotated[
    tuple[Words, ...],
    BeforeValidator(one_or_many, json_schema_input_type=Words | tuple[Words, ...]),
    Field(min_length=1),
]
