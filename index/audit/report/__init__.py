"""The audit on paper: the report for browsers with a page for each owner, and the files for other readers.

`rows` makes what the pages show of a document, with its `remedy`; `charts` their numbers; `page` fills the
template, `owner_pages` says which owner has which page. `plain` is Markdown and CSV, `junit` and `github` are
for CI.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from index.audit.report.encoded import encoded
from index.audit.report.junit import junit
from index.audit.report.owner_pages import FOLDER, findings_by_owner, owner_audit, page_of, pages
from index.audit.report.page import html_page
from index.audit.report.plain import counts_markdown, csv_table, findings_table, markdown_page
from index.audit.report.rows import Row, Table, rows
from index.audit.result import Audit
from index.batched import batched
from index.disk.atomic import replacing
from index.disk.private import private_folder
from index.freshness.owners import fold
from index.printable import printable_json, printable_line
from index.uncollected import uncollected

__all__ = ["FILES", "counts_markdown", "foreign", "page_of", "write"]

#: A page's sign, which owners' pages have, too.
_PAGE_SIGN = '<meta name="generator" content="freshkb">'
#: The files, each with a sign near its beginning that tells ours from foreign ones.
FILES = {
    "report.html": _PAGE_SIGN,
    "report.md": "<!-- freshkb -->",
    "report.csv": '"document_id","uri","source","owner"',
    "findings.csv": '"code","finding","severity","status"',
    "report.xml": '<testsuites name="freshkb audit',
    "freshness.json": '"trust_score":',
}
#: Bytes from the beginning of a file in which its sign lies.
_HEAD_BYTES = 4096


def foreign(out: Path) -> list[Path]:
    """Files in this folder that `write` would replace, although freshkb did not write them."""
    found = [path for name, sign in FILES.items() if not _ours(path := out / name, sign)]
    folder = out / FOLDER
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        found.append(folder)
    return [*found, *(path for path in pages(out) if not _ours(path, _PAGE_SIGN))]


def _ours(path: Path, sign: str) -> bool:
    try:
        with path.open("rb") as file:
            return sign.encode() in file.read(_HEAD_BYTES) and not path.is_symlink()
    except (FileNotFoundError, NotADirectoryError):
        return not path.is_symlink()
    except OSError:
        return False


@uncollected()
def write(audit: Audit, out: Path) -> list[Path]:
    """Write the files into a folder, which is made when it is missing, and return their paths, without those
    of the owners' pages; each file whole or not at all, and for its owner alone, unless the folder may be
    read by others.

    The owners' pages are those of a whole audit: one of a single owner's documents leaves them as they are.
    """
    private_folder(out)
    shown = rows(audit)
    table = Table(shown)
    values = [result.values() for result in audit.results]
    names = _page_names(audit) if audit.owner is None else {}
    texts = (
        html_page(audit, shown, table, names),
        markdown_page(audit, shown),
        csv_table(audit, values),
        findings_table(shown),
        junit(audit),
        _json_lines(audit.json_parts(values)),
    )
    written = [_replace(out / name, text) for name, text in zip(FILES, texts, strict=True)]
    if audit.owner is None:
        _write_owners(audit, out, shown, table, names)
    return written


def _page_names(audit: Audit) -> dict[str, str]:
    """The page of each owner by its name, in each spelling, as rows have it. An owner of no document has
    none."""
    known = {fold(summary.owner) for summary in audit.owners}
    spelled = {owner for result in audit.results for owner in result.owners}
    spelled |= {finding.owner for finding in audit.findings} | {""}
    return {printable_line(owner): page_of(owner) for owner in sorted(spelled) if fold(owner) in known}


def _write_owners(audit: Audit, out: Path, shown: Iterable[Row], table: Table, names: dict[str, str]) -> None:
    """Write the owners' pages, and remove those of owners that are gone."""
    by_page: dict[str, list[Row]] = {}
    for row in shown:
        for page in {names[owner]: None for owner in row.owners or ("",) if owner in names}:
            by_page.setdefault(page, []).append(row)
    private_folder(out / FOLDER, inside=out)
    findings = findings_by_owner(audit)
    kept = set()
    for summary in audit.owners:
        page = page_of(summary.owner)
        theirs = by_page.get(page, [])
        together = [
            owner for owners in dict.fromkeys(row.owners for row in theirs) for owner in owners or ("",)
        ]
        beside = {owner: names[owner].removeprefix(f"{FOLDER}/") for owner in together}
        part = owner_audit(audit, summary, findings.get(fold(summary.owner), ()))
        kept.add(_replace(out / page, html_page(part, theirs, table, beside, whole=False)))
    for path in pages(out):
        if path not in kept and path.is_file() and _ours(path, _PAGE_SIGN):
            path.unlink(missing_ok=True)


def _json_lines(said: Mapping[str, Any]) -> Iterator[str]:
    """The audit's JSON with a line for each entry: it is read by eye and by diff, and written fast."""
    yield "{"
    for number, (name, value) in enumerate(said.items()):
        yield f"{',' if number else ''}\n  {json.dumps(name)}: "
        if not isinstance(value, Iterator):
            yield _json(value)
            continue
        before = "["
        for some in batched(value, _BATCH):
            yield f"{before}\n    {_BETWEEN.join(map(_json, some))}"
            before = ","
        yield "[]" if before == "[" else "\n  ]"
    yield "\n}\n"


#: Entries that are written in one go, and what is between them.
_BATCH = 500
_BETWEEN = ",\n    "


def _json(value: object) -> str:
    return printable_json(encoded(value))


def _replace(path: Path, text: Iterable[str]) -> Path:
    # A title may hold what UTF-8 cannot; a report with a question mark is better than none.
    with replacing(path, grants=0o044, errors="replace") as file:
        file.writelines(text)
    return path
