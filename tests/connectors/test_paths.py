from __future__ import annotations

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.paths import encode, split

names = st.binary(min_size=1, max_size=12).filter(
    lambda raw: b"/" not in raw and b"\0" not in raw and raw not in (b".", b"..")
)
tricky = st.lists(
    st.sampled_from([b"%", b"4", b"1", b"F", b"f", b"25", b"\xff", b"\xc3", b"\xa9", "é".encode(), b"."]),
    min_size=1,
    max_size=8,
).map(b"".join)


@pytest.mark.parametrize(
    ("name", "uri"),
    [
        (b"plain.md", "plain.md"),
        ("Übersicht 日本.md".encode(), "Übersicht 日本.md"),
        (b"100%.md", "100%.md"),
        (b"50% off.md", "50% off.md"),
        (b"a%20b.md", "a%2520b.md"),
        (b"caf\xe9.md", "caf%E9.md"),
        (b"5%\xff", "5%25%FF"),
        (b"new\nline", "new\nline"),
        (b"a/caf\xe9/b%41", "a/caf%E9/b%2541"),
    ],
)
def test_names_that_are_text_stand_in_uris_as_they_are_and_others_are_percent_encoded(
    name: bytes, uri: str
) -> None:
    assert encode(os.fsdecode(name)) == uri
    assert [os.fsencode(part) for part in split(uri)] == name.split(b"/")


@given(names | tricky.filter(lambda raw: raw not in (b".", b"..")))
@example(b"%")
@example(b"%25")
@example(b"%2525\xff%")
def test_every_name_has_one_uri_which_leads_back_to_it(raw: bytes) -> None:
    uri = encode(os.fsdecode(raw))
    uri.encode("utf-8")
    assert [os.fsencode(part) for part in split(uri)] == [raw]


@given(tricky, tricky)
def test_two_names_never_have_one_uri(one: bytes, other: bytes) -> None:
    assert (encode(os.fsdecode(one)) == encode(os.fsdecode(other))) == (one == other)


@pytest.mark.parametrize(
    "uri",
    [
        "..",
        ".",
        "a/..",
        "/a",
        "a/",
        "a//b",
        "%2e%2e",
        "%2E",
        "a%2Fb",
        "%41",
        "%C3%A9",
        "%e9",
        "a\0",
        "\udcff",
    ],
)
def test_no_path_has_such_a_uri(uri: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        split(uri)
