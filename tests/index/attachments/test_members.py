"""Members of mails: their names, uris and entries."""

from __future__ import annotations

import pytest

from connectors.base import Entry
from index.attachments.members import Member, entry_of, is_mail, name_of, names_of
from index.model import Attachment
from index.parse import formats


def attachment(name: str, kind: str = "application/octet-stream") -> Attachment:
    return Attachment(name, kind, 1, "0" * 64)


@pytest.mark.parametrize(
    ("said", "kind", "name"),
    [
        ("plan.docx", "application/msword", "plan.docx"),
        ("../../etc/passwd", "", "passwd"),
        ("C:\\Users\\anna\\plan.pdf", "", "plan.pdf"),
        ("/", "application/pdf", "attachment.pdf"),
        ("", "application/pdf", "attachment.pdf"),
        ("", "image/x-unheard-of", "attachment"),
        ("", "", "attachment"),
        (".htaccess", "", "htaccess"),
        ("...", "", "attachment"),
        (". .hidden.md", "", "hidden.md"),
        ("a\r\nb\0c\x1b.md", "", "a b c.md"),
        ("\u202egnp.exe", "", "gnp.exe"),
        ("\udcff.md", "", "md"),
        ("  two   blanks .md ", "", "two blanks.md"),
        ("Übersicht 日本.pdf", "", "Übersicht 日本.pdf"),
        ("a" * 500 + ".pdf", "", "a" * 116 + ".pdf"),
        ("a." + "b" * 500, "", "a." + "b" * 118),
        ("100%41.md", "", "100%41.md"),
    ],
)
def test_a_name_is_one_printable_name_of_bounded_length(said: str, kind: str, name: str) -> None:
    assert name_of(attachment(said, kind)) == name


@pytest.mark.parametrize(
    ("said", "names"),
    [
        (["a.md", "a.md", "a.md"], ["a.md", "a (2).md", "a (3).md"]),
        (["a.md", "a (2).md", "a.md"], ["a.md", "a (2).md", "a (3).md"]),
        (["", "", "x/", "a"], ["attachment", "attachment (2)", "attachment (3)", "a"]),
        (["b/a.md", "c/a.md", "A.md"], ["a.md", "a (2).md", "A.md"]),
    ],
)
def test_equal_names_are_numbered(said: list[str], names: list[str]) -> None:
    assert names_of([attachment(name) for name in said]) == names


def test_ten_thousand_equal_names_are_told_apart_soon() -> None:
    assert len(set(names_of([attachment("a.md")] * 2000))) == 2000


MAIL = Entry("in/a.eml", "t", 9, 7, "n", {"title": "Mail", "owner": "user:anna", "url": "https://x/1"})


@pytest.mark.parametrize(
    ("path", "kind", "format"),
    [
        ("a.pdf", "application/octet-stream", ".pdf"),
        ("a.pdf", "text/html", ".pdf"),
        ("a.PDF", "text/html", ".pdf"),
        ("report.2024", "application/pdf", ".pdf"),
        ("report", "application/pdf", ".pdf"),
        ("report", "application/octet-stream", ""),
        ("report", "", ""),
        ("report", "application/x-odd", "application/x-odd"),
        ("a.zip", "application/zip", ".zip"),
        ("b.eml", "application/octet-stream", ".eml"),
        ("b", "message/rfc822", ".eml"),
    ],
)
def test_the_content_type_counts_where_the_name_says_nothing(path: str, kind: str, format: str) -> None:
    assert formats.of(entry_of(MAIL, Member(path, kind, 1, "h", ""))) == format


def test_an_attachment_shares_what_the_source_says_of_its_mail_but_for_the_title() -> None:
    found = entry_of(MAIL, Member("b.eml/c.md", "text/plain", 3, "hash", "2024-03-05T10:30:00+01:00"))
    assert found == Entry(
        "in/a.eml/b.eml/c.md",
        "hash",
        3,
        7,
        None,
        {
            "owner": "user:anna",
            "url": "https://x/1",
            "sent": "2024-03-05T10:30:00+01:00",
            "enclosed_in": "in/a.eml",
        },
    )


@pytest.mark.parametrize(
    ("uri", "format", "mail"),
    [
        ("a.eml", None, True),
        ("a.EML", None, True),
        ("a.msg", None, True),
        ("a.eml.md", None, False),
        (".eml", None, False),
        ("a/eml", None, False),
        ("inbox/17", "message/rfc822", True),
        ("inbox/17", "application/vnd.ms-outlook; x=y", True),
        ("a.eml", "text/plain", False),
        ("a.eml", "application/octet-stream", True),
    ],
)
def test_a_mail_is_one_by_its_format(uri: str, format: str | None, mail: bool) -> None:
    assert is_mail(Entry(uri, None, None, None, None, None, format)) is mail
