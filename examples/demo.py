"""freshkb on the handbook of a small company: mirror it, change it, search it, ask what has gone stale.

``make demo`` runs this. It works in a fresh copy, needs no network, shows each command with what it prints,
and exits with 1 when something is not as it should be.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

#: The day on which the examples' dates were written. In the copy they are moved to as many days before today.
WRITTEN_ON = date(2026, 11, 20)

#: Age in days of files that carry no date of their own; all others are two weeks old.
AGES = {
    "people/benefits.html": 120,
    "people/interviewing.rtf": 400,
    "policies/expenses.docx": 45,
    "policies/whistleblowing.txt": 75,
    "sales/price-list.xlsx": 60,
    "sales/pitch.pptx": 230,
}

EDITED = "policies/travel.md"
OLD_MEALS, NEW_MEALS = "We pay 38 euros for a full day", "We pay 42 euros for a full day"
RENAMED = ("people/onboarding.md", "people/your-first-weeks.md")
DELETED = "operations/returns.md"
RETURNS = "give a new bike back within sixty days"


class Unexpected(Exception):
    """What freshkb did is not what it promises."""


class Demo:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.handbook = folder / "handbook"
        self.freshkb = str(Path(sys.executable).with_name("freshkb"))
        #: What this shell sets for another knowledge base or a Prefect server must not change the demo.
        other = ("FRESHKB_", "PREFECT_")
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith(other)}

    def prepare(self) -> None:
        """A fresh copy of the examples, as old today as the originals were on the day they were written."""
        marker = self.folder / "MADE-BY-THE-DEMO"
        if self.folder.exists():
            if not marker.exists():
                raise Unexpected(f"{self.folder} exists and is not an earlier demo; choose another folder.")
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True)
        marker.touch()
        shutil.copytree(HERE / "handbook", self.handbook)
        shutil.copy(HERE / "freshkb.yaml", self.folder)
        shift = date.today() - WRITTEN_ON
        for path in (path for path in self.handbook.rglob("*") if path.is_file()):
            if path.suffix == ".md":
                text = path.read_text(encoding="utf-8")
                path.write_text(
                    re.sub(r"(?m)^(last_reviewed: )(\d{4}-\d\d-\d\d)$", _moved(shift), text), "utf-8"
                )
            age = timedelta(days=AGES.get(path.relative_to(self.handbook).as_posix(), 14))
            moment = time.time() - age.total_seconds()
            os.utime(path, (moment, moment))

    def show(self, *arguments: str, expect: int = 0) -> None:
        """Run a command for the reader: the line as one would type it, then what it prints."""
        print(f"\n  $ freshkb {shlex.join(arguments)}", flush=True)
        began = time.monotonic()
        command = [self.freshkb, *arguments]
        self._checked(subprocess.run(command, cwd=self.folder, env=self.environment), arguments, expect)
        print(f"  ({time.monotonic() - began:.1f} s)", flush=True)

    def ask(self, *arguments: str, expect: int = 0) -> Any:
        """Run a command for its JSON."""
        command = [self.freshkb, *arguments, "--json"]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        if done.returncode != expect:
            sys.stderr.write(done.stderr)
        self._checked(done, arguments, expect)
        return json.loads(done.stdout)

    def sync(self) -> dict[str, Any]:
        """Show a sync, and return its numbers: --json sends them to a file, and the text to the terminal."""
        print("\n  $ freshkb sync --json > sync.json", flush=True)
        numbers = self.folder / "sync.json"
        with numbers.open("w") as out:
            command = [self.freshkb, "sync", "--json"]
            self._checked(
                subprocess.run(command, cwd=self.folder, env=self.environment, stdout=out), ("sync",), 0
            )
        result: dict[str, Any] = json.loads(numbers.read_text())
        return {**result["sources"][0], **{f"chunks_{key}": n for key, n in result["chunks"].items()}}

    def _checked(
        self, done: subprocess.CompletedProcess[Any], arguments: tuple[str, ...], expect: int
    ) -> None:
        if done.returncode != expect:
            raise Unexpected(f"`freshkb {shlex.join(arguments)}` ended with {done.returncode}, not {expect}.")

    def found(self, query: str) -> list[str]:
        """Documents that a search by words finds. (It needs no model, and so takes no time.)"""
        return [hit["uri"] for hit in self.ask("search", query, "--mode", "sparse", "-k", "5")]

    def run(self) -> None:
        documents = sum(path.is_file() for path in self.handbook.rglob("*"))
        formats = sorted({path.suffix[1:] for path in self.handbook.rglob("*.*")})
        say(
            "1. Mirror a folder",
            f"{self.handbook} holds {documents} documents in {len(formats)} formats: {', '.join(formats)}. "
            "freshkb reads them, cuts them into chunks, embeds each chunk with a model that runs on this "
            "machine, and keeps the vectors in an index on this disk. Loading the model takes some seconds. "
            "(With --json the numbers go to a file; this demo checks them.)",
        )
        print(f"\n  $ cd {self.folder}")
        first = self.sync()
        expect(first["complete"] and first["added"] == documents, f"all {documents} documents were added")
        expect(first["quarantined"] == first["skipped"] == 0, "every format could be read")
        expect(first["chunks_embedded"] > documents, "their chunks were embedded")

        say("2. Sync again", "Nothing has changed, so nothing is read, parsed or embedded.")
        second = self.sync()
        expect(second["chunks_embedded"] == 0 and not _changes(second), "the second sync did nothing")

        say(
            "3. Ask a question",
            "Search joins meaning and words. Each answer says where it comes from, and how fresh that is.",
        )
        self.show("search", "how much may I spend on meals when I travel?", "-k", "2")
        expect(DELETED in self.found(RETURNS), f"{DELETED} is found")

        say(
            "4. Edit one paragraph",
            f"In {EDITED} the daily rate for meals goes from 38 to 42 euros. Only that chunk is embedded.",
        )
        page = self.handbook / EDITED
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(OLD_MEALS, NEW_MEALS), encoding="utf-8")
        self.show("plan")
        edit = self.sync()
        expect(
            edit["updated"] == 1 and edit["chunks_embedded"] == 1, "one document updated, one chunk embedded"
        )
        best = self.ask("search", "42 euros for a full day", "--mode", "sparse", "-k", "1")
        expect(NEW_MEALS in " ".join(best[0]["text"].split()), "the new rate is found")

        say(
            "5. Rename a page",
            f"{RENAMED[0]} becomes {RENAMED[1]}. The text is the same, so its vectors are kept.",
        )
        (self.handbook / RENAMED[0]).rename(self.handbook / RENAMED[1])
        move = self.sync()
        expect(move["moved"] == 1 and move["chunks_embedded"] == 0, "one document moved, nothing embedded")

        say("6. Delete a page", f"{DELETED} is removed. It must not be found any more.")
        (self.handbook / DELETED).unlink()
        deletion = self.sync()
        expect(deletion["deleted"] == 1 and deletion["chunks_embedded"] == 0, "one document deleted")
        self.show("search", "customer gives a new bike back", "-k", "2")
        expect(DELETED not in self.found(RETURNS), f"{DELETED} is not found any more")

        say("7. Prove it", "verify compares the folder, the ledger and the index, point by point.")
        self.show("verify")

        say(
            "8. Ask what has gone stale",
            "Every document has an owner and a date: from its front matter, or by the rules in freshkb.yaml. "
            "The audit ends with exit code 1 because some are overdue: a build can stop on that.",
        )
        self.show("audit", "--out", "report", expect=1)
        counts = self.ask("audit", "--out", "report", "--fail-on", "never")["counts"]
        expect(
            all(counts[verdict] for verdict in ("fresh", "warn", "stale", "unknown", "exempt")),
            "each verdict occurs",
        )


def say(title: str, text: str) -> None:
    print(f"\n\n{title}\n{'─' * len(title)}")
    print(textwrap.fill(text, 100), flush=True)


def expect(condition: bool, what: str) -> None:
    if not condition:
        raise Unexpected(f"Expected: {what}. It is not so.")
    print(f"  ✓ {what}", flush=True)


def _changes(report: dict[str, Any]) -> int:
    return sum(int(report[key]) for key in ("added", "updated", "moved", "deleted"))


def _moved(shift: timedelta) -> Any:
    return lambda match: match[1] + (date.fromisoformat(match[2]) + shift).isoformat()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(".demo"), help="where to work")
    folder = parser.parse_args().folder.resolve()
    demo = Demo(folder)
    try:
        demo.prepare()
        demo.run()
    except Unexpected as problem:
        print(f"\n  ✗ {problem}", file=sys.stderr)
        return 1
    print(
        f"""

What next
─────────
  Look at the report:           {folder / "report" / "report.html"}
  Change something yourself:    edit a file in {demo.handbook}
  and bring the index up:       cd {folder} && {demo.freshkb} sync
  Or let it follow changes:     cd {folder} && {demo.freshkb} watch
  Mirror your own documents:    {demo.freshkb} init ~/kb
                                then set `root:` in ~/kb/freshkb.yaml to your folder, and
                                cd ~/kb && {demo.freshkb} sync
  Everything else:              {demo.freshkb} --help"""
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
