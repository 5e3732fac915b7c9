"""A parser to which documents are programs: for what a parser does when it is fooled."""

from __future__ import annotations

import sys
from pathlib import Path

from index.parse import Parser

ROOT = Path(__file__).parents[1]

#: The real worker, behind its real walls, except that a document is a program and does what it says.
PROGRAMS = f"""
import sys
from types import SimpleNamespace
sys.path[:] = {[str(ROOT), *sys.path]!r}
from index.model import Element, Parsed
from index.parse import formats, worker
from index.parse.walls import landlock
from index.parse.walls import namespaces

def run(path, format):
    scope = {{"document": str(path)}}
    exec(path.read_text(), scope)
    return Parsed((Element(str(scope.get("text", "")), "NarrativeText"),))

def refuse(*arguments, **options):
    raise PermissionError(1, "Operation not permitted", "the kernel")

worker._reader = lambda name: (SimpleNamespace(parse=run), formats.BY_NAME[name])
if "no namespaces" in sys.argv:
    namespaces.unshare = refuse
if "no landlock" in sys.argv:
    landlock.restrict = refuse
worker.main()
"""


def program_parser(
    *arguments: str,
    timeout_seconds: float = 30,
    memory_bytes: int = 2 << 30,
    children_max: int | None = None,
    release_after: float | None = None,
) -> Parser:
    return Parser(
        timeout_seconds=timeout_seconds,
        memory_bytes=memory_bytes,
        command=(sys.executable, "-P", "-s", "-c", PROGRAMS, *arguments),
        children_max=children_max,
        release_after=release_after,
    )


def without_namespaces(children_max: int | None = None) -> Parser:
    """The real parser, as it is where the kernel gives no namespaces."""
    boot = f"""
import sys
from types import SimpleNamespace
sys.path[:] = {[str(ROOT), *sys.path]!r}
from index.parse import worker
from index.parse.walls import namespaces

def refuse(*arguments, **options):
    raise PermissionError(1, "Operation not permitted", "the kernel")

namespaces.unshare = refuse
worker.main()
"""
    return Parser(command=(sys.executable, "-P", "-s", "-c", boot), children_max=children_max)
