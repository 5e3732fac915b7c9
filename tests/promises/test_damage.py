"""A disk damages a file of the index: it is found, or does no harm, and there is a way back."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from index.doctor import examine
from index.errors import FreshkbError
from index.parse import Parser
from tests.promises.image import Image, differences, image
from tests.promises.wrecked import REVIEWED, Wrecked, files, wreck

#: Damages of each kind of file.
SEEDS, SEEDS_SOAK = 1, 30


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, parser: Parser) -> Wrecked:
    return Wrecked(tmp_path_factory.mktemp("wrecked") / "kb", parser)


def doctor(index: Wrecked) -> list[str]:
    """What `freshkb doctor` says is wrong."""
    with index.kb.mirror() as mirror:
        return [check.detail for check in examine(mirror) if not check.ok]


def equal(index: Wrecked, expected: Image, *, given_up: bool = False) -> list[str]:
    """How the index differs from what it has to be. A review that was given up need not be there."""
    now: Image = index.kb.ask(image)
    if given_up:
        for one in (now, expected):
            one.documents.pop(("docs", REVIEWED), None)
            one.points.pop(("docs", REVIEWED), None)
    return differences(now, expected)


def trial(index: Wrecked, path: Path, random: Random) -> tuple[str, str]:
    """Damage a file; what was done, and what became of it. Raises AssertionError where no way leads back."""
    index.put_back()
    done = wreck(path, random)
    said = index.found() or "; ".join(doctor(index))
    given_up = False
    if said:
        given_up = index.mend()
        assert not index.found(), f"{done}: still there after {said}: {index.found()}"
        assert not doctor(index), f"{done}: {doctor(index)}"
    wrong = equal(index, copied(index.image), given_up=given_up)
    assert not wrong, f"{done}: {'mended' if said else 'not found'}, and yet {wrong}, {said}"
    # What was damaged and not found shows at the latest when everything is written anew.
    index.edit()
    try:
        index.kb.sync()
    except FreshkbError as error:
        assert "freshkb verify --repair" in str(error)
        said = said or str(error)
        given_up = index.mend() or given_up
    wrong = equal(index, copied(index.edited), given_up=given_up)
    assert not wrong, f"{done}: {'mended' if said else 'not found'}, and after edits {wrong}, {said}"
    return done, said


def copied(of: Image) -> Image:
    return Image(dict(of.documents), dict(of.points), list(of.wrong))


def test_every_damage_is_found_or_harmless_and_has_a_way_back(index: Wrecked, soak: bool) -> None:
    kinds = files(index.kept)
    assert {"ledger.db", "ledger.db-wal", "models.json", "index/kb/instance"} <= kinds.keys()
    assert sum("segment/" in kind for kind in kinds) > 40
    failed = []
    for kind, paths in kinds.items():
        for seed in range(SEEDS_SOAK if soak else SEEDS):
            random = Random(f"{kind} {seed}")
            path = index.state / random.choice(paths).relative_to(index.kept)
            try:
                done, said = trial(index, path, random)
                print(f"{kind} {seed}: {done}: {said[:150] or 'harmless'}")
            except Exception as error:
                failed.append(f"{kind} {seed}: {type(error).__name__}: {error}"[:2000])
                print("FAILED", failed[-1])
    assert not failed, "\n".join(failed)
