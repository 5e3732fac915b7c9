"""Peak memory of a first sync, however many documents there are. Only Linux tells it of another process."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from benchmarks.corpus import Corpus
from benchmarks.measure import Bench, Row
from benchmarks.processes import environment, freshkb
from benchmarks.workplace import configure

MB = 1_000_000
#: Seconds between two looks at a process.
LOOK_SECONDS = 0.02
_KILOBYTES = re.compile(r"^(\w+):\s+(\d+) kB$", re.MULTILINE)


class Peak(NamedTuple):
    """Peaks of resident memory, in bytes."""

    whole: int
    anonymous: int
    """Its own. It and what is of files may peak apart."""
    mapped: int
    """Of files."""

    def __str__(self) -> str:
        return f"{self.whole / MB:.0f} MB: {self.anonymous / MB:.0f} its own, {self.mapped / MB:.0f} of files"


def footprint(bench: Bench) -> Iterator[Row]:
    """`freshkb sync` from nothing of the corpus, and of so many copies of it as make many documents. A copy's
    texts are embedded once, and written as often as they occur. The model was converted before."""
    if not Path("/proc/self/status").exists():
        return
    few, many = len(bench.corpus.documents), bench.scale.many
    with bench.folder() as folder:
        peaks = [_peak_of_sync(bench.corpus, folder / str(count), count) for count in (few, many)]
    before, after = peaks
    yield Row(
        f"`freshkb sync` of {few:,} new documents: peak memory",
        before.whole / MB,
        " MB",
        600,
        "≤",
        f"the process without its parsers; {before}",
    )
    yield Row(
        f"the same of {many:,} documents, against that",
        after.whole / before.whole,
        "×",
        1.1,
        "≤",
        str(after),
    )


def _peak_of_sync(corpus: Corpus, home: Path, count: int) -> Peak:
    documents = corpus.documents
    for number, left in enumerate(range(count, 0, -len(documents))):
        some = dict(islice(documents.items(), left))
        Corpus(corpus.name, some).write(home / "documents" / f"copy-{number:04}")
    path = configure(home, dtype="auto")
    return peak([freshkb(), "sync", "--config", str(path), "--quiet"])


def peak(command: Sequence[str]) -> Peak:
    """The peak of a command that must succeed (quarantined documents are a success), without the processes
    that it starts."""
    with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL) as process:
        status, seen = Path(f"/proc/{process.pid}/status"), Peak(0, 0, 0)
        while process.poll() is None:
            seen = Peak(*(max(pair) for pair in zip(seen, _now(status), strict=True)))
            time.sleep(LOOK_SECONDS)
    if process.returncode not in (0, 3):
        raise RuntimeError(f"{' '.join(command[:3])} … ended with {process.returncode}.")
    return seen


def _now(status: Path) -> Peak:
    told = dict(_KILOBYTES.findall(status.read_text()))
    whole, own, files, shared = (
        int(told.get(name, 0)) * 1024 for name in ("VmHWM", "RssAnon", "RssFile", "RssShmem")
    )
    return Peak(whole, own, files + shared)
