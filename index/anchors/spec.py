"""An anchor as the configuration writes it: ``file:PATH``, ``git:PATH``, ``syslog:`` or ``syslog:SOCKET``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

KINDS = ("file", "git", "syslog")


@dataclass(frozen=True, slots=True)
class AnchorSpec:
    kind: str
    path: Path | None
    """None for the system's own log alone."""

    def __str__(self) -> str:
        return f"{self.kind}:{self.path or ''}"

    def below(self, base: Path) -> AnchorSpec:
        """The same with an absolute path; a relative one is relative to `base`."""
        return self if self.path is None else AnchorSpec(self.kind, base / self.path.expanduser())


def parse(text: str) -> AnchorSpec:
    """Raises ValueError for what is no anchor."""
    kind, colon, path = text.partition(":")
    if not colon or kind not in KINDS or (kind != "syslog" and not path) or path.startswith("//"):
        raise ValueError("should be file:PATH, git:PATH or syslog:")
    return AnchorSpec(kind, Path(path) if path else None)
