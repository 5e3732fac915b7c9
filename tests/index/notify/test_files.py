"""The files of a dry run."""

from __future__ import annotations

from pathlib import Path

from index.notify.files import Files


def test_digests_have_a_file_each_whatever_their_persons_are_called(tmp_path: Path) -> None:
    files = Files(tmp_path)
    given = [("anna", "1"), ("anna", "2"), ("anna-2", "3"), ("Anna: 2", "4"), ("anna", "5")]
    for owner, content in given:
        files.write(owner, ".txt", f"{content}\nYou get at most one such digest".encode())
    assert [path.read_text()[0] for path in files.written] == [content for _, content in given]
    names = [path.name for path in files.written]
    assert names == ["anna.txt", "anna-2.txt", "anna-2-2.txt", "Anna-2.txt", "anna-3.txt"]
