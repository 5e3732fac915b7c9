"""Anchors: places outside the state folder that remember checkpoints of the log.

The log's entries are chained, but a chain does not see its own end cut off, nor an older copy put in its
place. An anchor does: it says how many entries there were, and with which root. It is written as

    file:PATH          checkpoints, one after another, in a file
    git:PATH           commits of a branch of its own in a repository; its work tree is left alone
    syslog:[SOCKET]    messages to the system's log, or to another socket; they cannot be read back

Modules `spec` (as written) · `anchor` (what all have in common) · `file`, `git`, `syslog`.

Anchors know nothing of keys and ledgers: they keep signed notes by their origin, and `index.checkpoints`
decides what they mean. May import: `errors`, `disk`, `signed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from index.anchors.spec import AnchorSpec

if TYPE_CHECKING:
    # The configuration needs the specification alone.
    from index.anchors.anchor import Anchor

__all__ = ["AnchorSpec", "opened"]


def opened(spec: AnchorSpec) -> Anchor:
    """The anchor of a specification. Nothing is read or written yet."""
    if spec.kind == "git":
        from index.anchors.git import GitAnchor

        return GitAnchor(spec)
    if spec.kind == "syslog":
        from index.anchors.syslog import SyslogAnchor

        return SyslogAnchor(spec)
    from index.anchors.file import FileAnchor

    return FileAnchor(spec)
