"""A disk damages a file of the index: it is found, or does no harm, and there is a way back."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from index.errors import FreshkbError
from index.health.doctor import examine
from index.parse import Parser
from tests.promises.image import Image, differences, image
from tests.promises.wrecked import REVIEWED, Wrecked, files, wreck
from tests.soak import LONG

#: Damages of each kind of file in the long form.
SEEDS_SOAK = 20

#: Values of which there is no second copy (`index.verify.compare`), and that no search and no rule reads.
UNCHECKED = frozenset({"reason", "findings", "properties"})

#: Files of which the short form damages one each: the others are like one of these.
SOME = (
    "ledger.db",
    "ledger.db-wal",
    "index/kb/instance",
    "index/kb/shard/segment/segment.json",
    "index/kb/shard/segment/id_tracker.versions",
    "index/kb/shard/segment/payload_storage/page_0.dat",
    "index/kb/shard/segment/vector_storage/matrix.dat",
    "index/kb/shard/segment/vector_index-bm25/inverted_index.dat",
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, parser: Parser) -> Wrecked:
    return Wrecked(tmp_path_factory.mktemp("wrecked") / "kb", parser)


def doctor(index: Wrecked) -> list[str]:
    """The faults that `freshkb doctor` names."""
    with index.kb.workspace() as workspace:
        return [check.detail for check in examine(workspace) if not check.ok]


def wrong(index: Wrecked, expected: Image, *, found: bool, given_up: bool) -> list[str]:
    """How the index differs from what it has to be. A review that was given up need not be there; and of
    damage that was not found, not what cannot be checked."""
    now: Image = index.kb.ask(image)
    mine, other = (
        Image(
            {
                k: v if found else {name: v[name] for name in v if name not in UNCHECKED}
                for k, v in it.documents.items()
                if not (given_up and k == ("docs", REVIEWED))
            },
            {k: v for k, v in it.points.items() if not (given_up and k == ("docs", REVIEWED))},
            it.wrong,
        )
        for it in (now, expected)
    )
    return differences(mine, other)


def trial(index: Wrecked, path: Path, random: Random) -> str:
    """Damage a file, and find a way back; the damage, and the message about it."""
    index.put_back()
    done = wreck(path, random)
    said = index.found() or "; ".join(doctor(index))
    given_up = index.mend() if said else False
    left = wrong(index, index.image, found=bool(said), given_up=given_up)
    assert not left, f"{done}: {'mended' if said else 'not found'}, and yet {left}. It was said: {said}"
    if not said:
        # Damage that does no harm now may do so when everything is written anew.
        index.edit()
        try:
            index.kb.sync()
        except FreshkbError as error:
            said = str(error)
            assert "freshkb verify --repair" in said
        # Where the map of free room is damaged, what is written takes the place of what is there.
        said = said or index.found()
        given_up = index.mend() if said else False
        left = wrong(index, index.edited, found=bool(said), given_up=given_up)
        assert not left, f"{done}: after edits {left}. It was said: {said}"
    return f"{done}: {said or 'harmless'}"


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=LONG) for seed in range(1, SEEDS_SOAK))])
def test_every_damage_is_found_or_harmless_and_has_a_way_back(index: Wrecked, seed: int, soak: bool) -> None:
    kinds = files(index.kept)
    assert set(SOME) <= kinds.keys(), sorted(kinds)
    chosen = sorted(kinds) if soak else SOME
    failed = []
    for kind in chosen:
        random = Random(f"{kind} {seed}")
        path = index.state / random.choice(kinds[kind]).relative_to(index.kept)
        try:
            print(f"{kind} {seed}: {trial(index, path, random)[:300]}", flush=True)
        except Exception as error:
            failed.append(f"{kind} {seed}: {type(error).__name__}: {error}"[:3000])
            print("FAILED", failed[-1], flush=True)
    assert not failed, "\n".join(failed)
