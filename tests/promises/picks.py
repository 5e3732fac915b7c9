"""Of the calls that a scenario makes, those that fail in the short form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tests.promises.faulty import MODES, Fault
from tests.promises.parts import Call

Calls = Mapping[int, Sequence[Call]]
"""By the turn of a scenario, its calls in order."""

#: Which call is to fail, once the turn is known.
Pick = Callable[[int], int]


def representatives(fault: Fault, calls: Calls, known: Calls) -> list[Pick]:
    """The short form: each call by its name fails after it had its effect, every third one that writes ledger
    or store without an effect, which is how the call before it leaves them, and some of these in one of the
    other ways, which take turns; one that only reads ledger or store fails in one way, and one of another
    part in each way. The ways take turns with the times that it is made. Of what a sync calls, too, the other
    scenarios take some that write, each in one way. It matters less which call is late, every other one; and
    from where on a part stays away, a sixth of them."""
    here: dict[int, dict[str, list[int]]] = {}
    for turn, made in calls.items():
        able = [call for call in made if fault.applies(call)]
        for number, call in enumerate(able, 1):
            here.setdefault(turn, {}).setdefault(str(call), []).append(number)
    ways = MODES[fault.part]
    way = ways.index(fault.mode)
    writes = {str(call) for made in calls.values() for call in made if call.writes}
    elsewhere = {str(call) for made in known.values() for call in made}
    names = {name for own in here.values() for name in own}
    new = sorted(names - elsewhere)
    stored = fault.part in ("ledger", "store")
    written = sorted(writes.intersection(new))
    if stored and fault.mode == "before":
        written = written[::3]
    elif stored and fault.mode != "after":
        written = written[1::2][way - 2 :: len(ways) - 2]
    chosen = {
        *sorted(writes & elsewhere)[way :: 6 * len(ways)],
        *(written if stored else new),
        *[name for name in new if name not in writes][way :: len(ways)],
    }

    def pick(name: str) -> Pick:
        def at(turn: int) -> int:
            numbers = here.get(turn, {}).get(name) or next(own[name] for own in here.values() if name in own)
            return numbers[way % len(numbers)]

        return at

    return [pick(name) for name in sorted(chosen & names)[:: {"gone": 6, "late": 2}.get(fault.mode, 1)]]
