"""What the engine says, as an error of the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.errors import StoreDamaged, StoreError
from index.store.edge.errors import engine_errors

FOLDER = Path("/index/kb")


class PanicException(BaseException):
    """Of this name, the engine raises its panics."""


def raised(error: BaseException, **folder: Path) -> StoreError:
    with pytest.raises(StoreError) as said, engine_errors("write 3 points", **folder):
        raise error
    return said.value


@pytest.mark.parametrize(
    "error, read, written",
    [
        (Exception("Service runtime error: Failed to decode value: not LZ4"), True, True),
        (PanicException("index out of bounds"), True, True),
        (Exception("Vector dimension error: expected dim: 3, got 4"), True, False),
        (Exception("Service runtime error: IO Error: No such file (os error 2)"), True, False),
        (Exception("Service runtime error: IO Error: No space left (os error 28)"), False, False),
        (OSError(27, "File too large"), True, False),
    ],
    ids=str,
)
def test_damage_is_what_cannot_be_used_and_not_what_cannot_be_reached(
    error: BaseException, read: bool, written: bool
) -> None:
    assert isinstance(raised(error, reads=FOLDER), StoreDamaged) == read
    assert isinstance(raised(error, writes=FOLDER), StoreDamaged) == written
    assert not isinstance(raised(error), StoreDamaged)


def test_damage_names_the_command_that_mends_it_and_the_rest_the_one_that_looks() -> None:
    error = Exception("Service runtime error: Failed to decode value")
    assert str(raised(error, writes=FOLDER)).endswith("with: freshkb verify --repair")
    assert str(raised(error)).endswith("freshkb doctor")


def test_what_ends_a_process_is_no_error_of_the_store() -> None:
    with pytest.raises(KeyboardInterrupt), engine_errors("write", writes=FOLDER):
        raise KeyboardInterrupt
