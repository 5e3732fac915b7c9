"""Checks before a container is opened: it is no bomb, and not locked."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from index.parse.outline import Unreadable

ENTRIES_MAX = 20_000
#: Inflated bytes that any archive may hold; more are allowed up to RATIO_MAX times the size of the file.
INFLATED_FREE = 128 * 1024 * 1024
RATIO_MAX = 60

PROTECTED = "The document is protected by a password."
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def check(path: Path) -> None:
    """Raise Unreadable unless this is a whole zip archive of an honest size.

    Every entry is inflated once, because a bomb lies about its size.
    """
    allowed = max(INFLATED_FREE, path.stat().st_size * RATIO_MAX)
    too_large = f"The document is a compressed file that grows to more than {allowed >> 20} MiB."
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > ENTRIES_MAX:
                raise Unreadable(f"The document is an archive of more than {ENTRIES_MAX} files.")
            if sum(entry.file_size for entry in entries) > allowed:
                raise Unreadable(too_large)
            inflated = 0
            for entry in entries:
                if entry.flag_bits & 1:
                    raise Unreadable(PROTECTED)
                with archive.open(entry) as stream:
                    while block := stream.read(1 << 20):
                        inflated += len(block)
                        if inflated > allowed:
                            raise Unreadable(too_large)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise Unreadable(f"The document is damaged: {str(error) or 'the archive ends too early'}.") from None


def refuse_protected(path: Path) -> None:
    """Raise Unreadable when this Office file is encrypted, in the old or the new way."""
    with path.open("rb") as stream:
        if stream.read(len(_OLE)) != _OLE:
            return
        import msoffcrypto
        from msoffcrypto.exceptions import DecryptionError, FileFormatError, ParseError

        stream.seek(0)
        try:
            protected = msoffcrypto.OfficeFile(stream).is_encrypted()
        except (FileFormatError, DecryptionError, ParseError, OSError, ValueError, IndexError, KeyError):
            return
    if protected:
        raise Unreadable(PROTECTED)
