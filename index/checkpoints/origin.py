"""What a log is called, by generation; its keys and its anchors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from index.anchors import opened
from index.anchors.anchor import Anchor
from index.ledger import Head, Ledger, LogEntry
from index.ledger.history import GENERATION, generations
from index.signed import key as keys
from index.signed.key import PublicKey, SigningKey
from index.signed.note import Checkpoint
from index.workspace import Workspace

#: What an anchor that knows more than the log may mean.
AHEAD = "the end of the log was cut off, or an older copy of the ledger was restored"


def signing_key(workspace: Workspace) -> SigningKey:
    """The configured key, or else that of the state folder, which is made when it is missing. Raises
    SignatureError."""
    given = workspace.config.log.key_file
    return keys.load(given) if given else keys.load_or_make(workspace.config.state_dir / keys.NAME)


def own_keys(workspace: Workspace) -> Iterator[PublicKey]:
    """The key of the knowledge base, if there is one yet. Raises SignatureError."""
    path = workspace.config.log.key_file or workspace.config.state_dir / keys.NAME
    if path.exists():
        yield keys.read_public(path)


def origin(instance: str, generation: object = "") -> str:
    """The name of a generation of the log; those of later ones begin with that of the first."""
    return f"freshkb/{instance}/{generation}" if generation else f"freshkb/{instance}"


def origin_of(ledger: Ledger) -> str:
    return origin(ledger.instance_id, ledger.history.generation())


def origins(instance: str, begun: Iterable[LogEntry]) -> list[str]:
    """The origins of all generations up to the present one, by the entries that began them."""
    return [origin(instance), *(origin(instance, entry.facts[GENERATION]) for entry in begun)]


def all_origins(instance: str, begun: Iterable[LogEntry]) -> set[str]:
    """The same, with those of generations that were given up."""
    named = (name for entry in begun for name in generations(entry.facts))
    return {origin(instance), *(origin(instance, name) for name in named)}


def checkpoint_of(ledger: Ledger, head: Head) -> Checkpoint:
    return Checkpoint(origin_of(ledger), head.size, head.frontier.root())


def anchors_of(workspace: Workspace) -> list[Anchor]:
    return [opened(spec) for spec in workspace.config.log.anchors]
