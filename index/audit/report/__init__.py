"""The audit on paper: ``report.html``, ``report.md``, ``report.csv`` and ``freshness.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from index.audit.report.page import html_page
from index.audit.report.plain import counts_markdown, csv_table, markdown_page
from index.audit.result import Audit
from index.disk.atomic import replacing
from index.disk.private import private_folder
from index.printable import printable_json

__all__ = ["FILES", "counts_markdown", "foreign", "write"]

#: The files, each with a sign near its beginning that tells ours from foreign ones.
FILES = {
    "report.html": '<meta name="generator" content="freshkb">',
    "report.md": "<!-- freshkb -->",
    "report.csv": '"document_id","uri","source","owner"',
    "freshness.json": '"trust_score":',
}
#: Bytes from the beginning of a file in which its sign lies.
_HEAD_BYTES = 4096


def foreign(out: Path) -> list[Path]:
    """Files in this folder that `write` would replace, although freshkb did not write them."""
    return [path for name, sign in FILES.items() if not _ours(path := out / name, sign)]


def _ours(path: Path, sign: str) -> bool:
    try:
        with path.open("rb") as file:
            return sign.encode() in file.read(_HEAD_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return not path.is_symlink()
    except OSError:
        return False


def write(audit: Audit, out: Path) -> list[Path]:
    """Write the four files into a folder, which is made when it is missing; each one whole or not at all, and
    for its owner alone, unless the folder may be read by others."""
    private_folder(out)
    texts = (
        html_page(audit),
        markdown_page(audit),
        csv_table(audit),
        _json_lines(audit),
    )
    return [_replace(out / name, text) for name, text in zip(FILES, texts, strict=True)]


def _json_lines(audit: Audit) -> Iterator[str]:
    """The audit's JSON with a line for each entry: it is read by eye and by diff, and written fast."""
    yield "{"
    for number, (name, value) in enumerate(audit.json().items()):
        yield f"{',' if number else ''}\n  {json.dumps(name)}: "
        if not isinstance(value, list) or not value:
            yield _json(value)
            continue
        for position, entry in enumerate(value):
            yield f"{',' if position else '['}\n    {_json(entry)}"
        yield "\n  ]"
    yield "\n}\n"


def _json(value: object) -> str:
    return printable_json(json.dumps(value, ensure_ascii=False))


def _replace(path: Path, text: Iterable[str]) -> Path:
    # A title may hold what UTF-8 cannot; a report with a question mark is better than none.
    with replacing(path, grants=0o044, errors="replace") as file:
        file.writelines(text)
    return path
