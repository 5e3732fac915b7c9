"""Whether a source can be listed, how many documents it has, and what it tells of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from connectors.base import Connector, ConnectorError, Detection, Entry, Listing, Need, Unlisted
from index.config import Config
from index.config.codeowners import CodeOwners, codeowners_of
from index.config.rules import named_owners
from index.freshness import link
from index.freshness.properties import by_name, title
from index.parse import formats
from index.redact import redact
from index.sources.needs import missing, needs_of, not_given
from index.sources.trial import on_trial

#: Problems that the detail of a check repeats.
_SAID_MAX = 5

#: Detected in every source, by its complete listings.
DELETIONS = "deletions"
DETECTIONS: tuple[Detection, ...] = get_args(Detection)


@dataclass(slots=True)
class Tally:
    """Counts over the entries of a listing."""

    max_size: int
    url: Callable[[str], str]
    """The connector's link of a uri."""
    codeowners: CodeOwners = field(default_factory=CodeOwners)
    documents: int = 0
    told: Counter[str] = field(default_factory=Counter)
    """Documents by the things that are told of them, of `DETECTIONS`."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Documents that cannot be parsed, by type; "" for none."""
    too_large: int = 0
    tokenless: int = 0
    """Documents without a change token."""

    def add(self, entry: Entry) -> None:
        self.documents += 1
        form = formats.of(entry)
        if form not in formats.BY_SUFFIX:
            self.skipped[form] += 1
        elif entry.size is not None and entry.size > self.max_size:
            self.too_large += 1
        self.tokenless += entry.token is None
        self.told.update(self._told(entry))

    def _told(self, entry: Entry) -> Iterable[Detection]:
        if entry.native_id is not None:
            yield "renames"
        if entry.modified_at is not None:
            yield "dates"
        said = entry.properties
        if (said and named_owners(said)[0]) or self.codeowners.owners(entry.uri):
            yield "owners"
        if title(said):
            yield "titles"
        if (said and link.own(by_name(said))) or self.url(entry.uri).startswith(("https://", "http://")):
            yield "links"


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check."""

    source: str
    type: str
    place: str
    """The identity of the place; "" when the source could not be asked."""
    problems: Sequence[str]
    """Why it could not be listed completely, as sentences."""
    needs: Sequence[Need]
    detects: Sequence[str]
    """The things that its connector says it detects, and those that its documents have."""
    tally: Tally | None
    """Of what was listed; None when the listing could not begin."""
    unlisted: Sequence[Unlisted] = ()

    @property
    def ok(self) -> bool:
        return not self.problems

    @property
    def detail(self) -> str:
        """A sentence or more: what is wrong, else where it is."""
        more = len(self.problems) - _SAID_MAX
        rest = [f"And {more:,} more."] if more > 0 else []
        return " ".join([*self.problems[:_SAID_MAX], *rest]) or self.place

    def json(self) -> dict[str, Any]:
        tally = self.tally
        return {
            "source": self.source,
            "type": self.type,
            "ok": self.ok,
            "documents": tally.documents if tally else None,
            "detects": list(self.detects),
            "detail": self.detail,
            "told": {name: tally.told[name] for name in DETECTIONS} if tally else None,
            "skipped": tally.skipped.total() if tally else None,
            "too_large": tally.too_large if tally else None,
            "needs": [
                {"kind": need.kind, "name": need.name, "origin": need.origin, "missing": need.missing}
                for need in self.needs
            ],
            "errors": list(self.problems),
            "unlisted": [folder._asdict() for folder in self.unlisted],
        }


def check(config: Config, source: str, block: Mapping[str, Any] | None = None) -> Checked:
    """Ask a configured source for its whole listing. Nothing is written, and no ledger is opened. `block` is
    the source as the file is to hold it, when that does not yet.

    Raises ConfigError for a source that is not configured, ScratchError when there is no room for a scratch
    folder.
    """
    settings = config.source(source)
    needs = needs_of(config, source, None, block)
    place, problems = "", list[str]()
    tally: Tally | None = None
    unlisted: Sequence[Unlisted] = ()
    detects: set[str] = set()
    try:
        with on_trial(config, source) as (connector, _):
            detects = set(connector.capabilities.detects)
            needs = needs_of(config, source, connector, block)
            if not (lacking := missing(needs)):
                place = redact(connector.probe())
                codeowners = _codeowners(connector, problems)
                listing = connector.list()
                tally = Tally(settings.limits.max_size, connector.url, codeowners)
                unlisted = listing.unlisted
                _count(listing, tally, problems)
                # Some know it only once their server has answered.
                detects = set(connector.capabilities.detects)
            else:
                problems.append(lacking)
    except ConnectorError as error:
        problems.append(redact(str(error)))
        if place == "" and (said := not_given(needs)):
            problems.append(said)
    if tally is not None:
        detects |= set(tally.told)
    return Checked(
        source,
        settings.type,
        place,
        problems,
        needs,
        [DELETIONS, *(name for name in DETECTIONS if name in detects)],
        tally,
        unlisted,
    )


def _codeowners(connector: Connector, problems: list[str]) -> CodeOwners:
    found = codeowners_of(connector)
    if found.trouble:
        # A sync would not go on without it.
        problems.append(found.trouble)
        return CodeOwners()
    return found


def _count(listing: Listing, tally: Tally, problems: list[str]) -> None:
    """Add every entry of the listing to `tally`, and why it is incomplete to `problems`."""
    last: str | None = None
    try:
        for entry in listing:
            if last is not None and entry.uri <= last:
                problems.append(f"The listing is not in order: {entry.uri!r} is listed after {last!r}.")
                break
            last = entry.uri
            tally.add(entry)
    finally:
        problems += map(redact, listing.errors)
