"""Readers that ask a knowledge base again and again while others write it, and check every answer.

``python -m tests.promises.readers ROLE CONFIGURATION PAGES SEED`` says "ready" and asks until its input ends.
It answers each line of its input with its counts since the last, as JSON. The line ``gone N`` says that, from
then on, the pages from N on are deleted. The first `PAGES` pages are always there.

A page has versions, and each of its parts says all there is to know of it, so that a text that no version of
any page had, or that two versions were mixed in, is recognised.
"""

from __future__ import annotations

import json
import random
import re
import select
import subprocess
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

import index.embed.embedder
from index.audit.audit import audit
from index.search.knowledge_base import KnowledgeBase
from index.store.base import Mode
from index.verify.compare import verify
from tests import forks
from tests.commands import environment, process
from tests.embedders import HashEmbedder

PARTS = 3
MODES: Sequence[Mode] = get_args(Mode)


def chunk(page: int, version: int, part: int) -> str:
    """The text of one chunk: parts begin with headings."""
    said = f"This is page{page} in its version{version}, part{part}"
    whole = f"Part {part}\n\n{said}, and its sum is {zlib.crc32(said.encode()):08x}."
    return whole if part else f"Page {page}\n\n{whole}"


def text(page: int, version: int) -> str:
    chunks = "\n\n".join(chunk(page, version, part) for part in range(PARTS))
    return re.sub(r"^Part", "## Part", chunks, flags=re.MULTILINE).replace("Page", "# Page", 1) + "\n"


@dataclass(slots=True)
class Seen:
    asked: int = 0
    faults: list[str] = field(default_factory=list)


class Reader:
    def __init__(self, role: str, config: Path, pages: int, seed: int) -> None:
        index.embed.embedder.Embedder = HashEmbedder  # type: ignore[assignment,misc]  # No model is loaded.
        self.config, self.pages, self.chance = config, pages, random.Random(seed)
        self.gone: int | None = None
        self.seen = Seen()
        self._newest: dict[int, int] = defaultdict(int)
        self._roles: dict[str, Callable[[KnowledgeBase], None]] = {
            "search": self._search,
            "look": self._look,
            "command": self._command,
        }
        self._ask = self._roles[role]

    def run(self) -> None:
        with KnowledgeBase.open(self.config) as kb:
            self._ask(kb)
            self.seen = Seen()
            print("ready", flush=True)
            while self._obey():
                try:
                    self._ask(kb)
                except Exception as error:
                    self._fault(f"{self._ask.__name__}: {type(error).__name__}: {error}")
                self.seen.asked += 1
                # Others have the processors, too.
                time.sleep(0.02)

    def _obey(self) -> bool:
        """Obey what stands in the input. False at its end."""
        while select.select([sys.stdin], [], [], 0)[0]:
            line = sys.stdin.readline()
            if not line:
                return False
            if line.startswith("gone"):
                self.gone = int(line.split()[1])
            print(json.dumps(asdict(self.seen)), flush=True)
            self.seen = Seen()
        return True

    def _fault(self, what: str) -> None:
        if len(self.seen.faults) < 10:
            self.seen.faults.append(what)

    # ── Roles ─────────────────────────────────────────────────────────────────────────────────────────

    def _search(self, kb: KnowledgeBase) -> None:
        page, mode = self.chance.randrange(self.pages), self.chance.choice(MODES)
        hits = kb.search(f"page{page}", k=10, mode=mode, fresh_only=self.chance.random() < 0.2)
        self._check(f"{mode} search for page{page}", page, [(hit.uri, hit.text) for hit in hits])

    def _command(self, kb: KnowledgeBase) -> None:
        """`freshkb search` and `freshkb status` in processes of their own."""
        page, mode = self.chance.randrange(self.pages), self.chance.choice(MODES)
        hits = self._run("search", f"page{page}", "--mode", mode)
        self._check(
            f"command: {mode} search for page{page}", page, [(hit["uri"], hit["text"]) for hit in hits]
        )
        if self._run("status")["index"]["points"] < PARTS * self.pages:
            self._fault("command: status knows too few points")

    def _run(self, *arguments: str) -> Any:
        ended = forks.run(
            process(*arguments, "--json"),
            cwd=self.config.parent,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if ended.returncode:
            raise RuntimeError(f"{arguments} ended with {ended.returncode}: {ended.stderr}")
        return json.loads(ended.stdout)

    def _look(self, kb: KnowledgeBase) -> None:
        """Verify and audit, as an operator does. The sources may be ahead of the index meanwhile."""
        found = verify(kb.workspace, deep=self.chance.random() < 0.5)
        for finding in (*found.missing, *found.extra, *found.altered):
            self._fault(f"verify: {finding.json()}")
        for error in found.errors:
            self._fault(f"verify: {error}")
        status = kb.status()
        if status["documents"]["indexed"] < self.pages or status["documents"]["quarantined"]:
            self._fault(f"status: {status['documents']}")
        sources = {source.id: source for source in kb.workspace.config.sources}
        seen = audit(kb.workspace.ledger.documents.find(), sources, kb.workspace.now())
        if len(seen.results) < self.pages:
            self._fault(f"audit: {len(seen.results)} results")

    # ── Answers ───────────────────────────────────────────────────────────────────────────────────────

    def _check(self, what: str, page: int, hits: list[tuple[str, str]]) -> None:
        versions: dict[int, set[int]] = defaultdict(set)
        for uri, found in hits:
            numbers = re.search(r"page(\d+) in its version(\d+), part(\d+)", found)
            own, version, part = map(int, numbers.groups()) if numbers else (-1, -1, -1)
            if found.strip() != chunk(own, version, part):
                self._fault(f"{what}: {uri} has a text that no version had: {found!r}")
                continue
            versions[own].add(version)
            if self.gone is not None and own >= self.gone:
                self._fault(f"{what}: {uri} is deleted")
        for other, several in versions.items():
            if len(several) > 1:
                self._fault(f"{what}: page {other} is shown in versions {several}")
            if min(several) < self._newest[other]:
                self._fault(f"{what}: page {other} went back from version {self._newest[other]} to {several}")
            self._newest[other] = max(several)
        if page not in versions:
            self._fault(f"{what}: it is not among {[uri for uri, _ in hits]}")


if __name__ == "__main__":
    role, config, pages, seed = sys.argv[1:]
    Reader(role, Path(config), int(pages), int(seed)).run()
