"""`freshkb receipts`: the proofs that orders to erase were carried out."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.console import Console, plural, warn
from flows.cli.options import Group, command
from flows.cli.workspace import opened
from index.printable import printable_line

if TYPE_CHECKING:
    from index.erase.receipt import Receipt
    from index.erase.reveal import Revealed
    from index.ledger import Order
    from index.workspace import Workspace


@command()
def list_orders(console: Console, config: Path | None) -> None:
    """List the orders to erase, in the order of placing: open, done and lifted ones."""
    with opened(config) as workspace:
        found = [(order, _file(workspace, order)) for order in workspace.ledger.erasures.all()]
    console.data([_row(order, path) for order, path in found])
    if not console.as_json:
        for order, _ in found:
            console.say(_line(order))
        console.say(plural(len(found), "order"))


@command()
def show(
    console: Console,
    config: Path | None,
    order_id: Annotated[str, typer.Argument(metavar="ORDER", help="As `receipts list` prints it.")],
    raw: Annotated[
        bool, typer.Option("--raw", help="Print the signed text, byte for byte: for `receipts verify`.")
    ] = False,
) -> None:
    """Show the receipt of an order, in words."""
    with opened(config) as workspace:
        from index.erase import receipt as receipts
        from index.errors import ConfigError

        erasures = workspace.ledger.erasures
        order = erasures.get(order_id) or erasures.get(order_id.upper())
        if order is None:
            raise ConfigError(f"There is no order {order_id!r}. See: freshkb receipts list")
        if not order.receipt:
            raise ConfigError(
                f"Order {order.order_id} has no receipt yet: it is {order.state}, and not proved to be "
                "carried out."
            )
        path = _file(workspace, order)
        receipt = receipts.opened(order.receipt)
    if raw:
        sys.stdout.write(order.receipt)
        sys.stdout.flush()
        return
    console.data({**receipt.json(), "state": order.state.value, "receipt": _text(path)})
    if not console.as_json:
        for line in _words(receipt, order, path):
            console.say(printable_line(line))


@command()
def verify(
    console: Console,
    config: Path | None,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A receipt.")],
    key: Annotated[
        list[Path] | None,
        typer.Option(
            "--key",
            metavar="PEM",
            help="A public key that may have signed it, as its signer has published it; may be given again.",
        ),
    ] = None,
    reveal: Annotated[
        Path | None,
        typer.Option("--reveal", metavar="FILE", help="The reveal file: which documents it is about."),
    ] = None,
) -> None:
    """Check a receipt: its signature, its form, and its proof. Needs no configuration and no state."""
    from index.erase import receipt as receipts
    from index.erase.reveal import read as read_reveal
    from index.errors import SignatureError
    from index.signed.key import read_public

    trusted = [read_public(path) for path in key or ()]
    revealed = read_reveal(reveal) if reveal is not None else None
    said: dict[str, Any]
    found: list[Revealed] = []
    try:
        receipt = receipts.opened(receipts.read(file), trusted)
    except SignatureError as error:
        said = {"ok": False, "reason": str(error)}
    else:
        found = revealed.in_receipt(receipt) if revealed is not None else []
        strange = [f"{each.source}:{each.uri}" for each in found if not each.subject]
        said = {
            "ok": not strange,
            "reason": _reason(receipt, bool(trusted)) if not strange else _not_in(receipt, found, strange),
            "order_id": receipt.order_id,
            "key_id": receipt.signer.key_id,
        }
        if revealed is not None:
            named = [each for each in found if each.subject]
            said["revealed"] = [
                {"subject": each.subject, "source": each.source, "uri": each.uri} for each in named
            ]
            if not strange and len(named) < receipt.documents:
                said["reason"] += f" The reveal file names {len(named)} of the documents."
    console.data(said)
    console.say(f"{'Good' if said['ok'] else 'Bad'}: {printable_line(said['reason'])}")
    for each in found:
        if each.subject:
            console.say(printable_line(f"  {each.subject}  {each.source}:{each.uri}"))
    raise typer.Exit(0 if said["ok"] else 1)


@command()
def key(console: Console, config: Path | None) -> None:
    """Print the public key that receipts and checkpoints are signed with, to be published; the key is made at
    first use."""
    with opened(config) as workspace:
        from index import checkpoints
        from index.signed.note import verifier_key

        public = checkpoints.signing_key(workspace).public
        verifier = verifier_key(checkpoints.origin_of(workspace.ledger), public)
    console.data({"key": public.pem, "key_id": public.key_id, "verifier_key": verifier})
    if not console.as_json:
        sys.stdout.write(public.pem)
        sys.stdout.flush()
        if not console.quiet:
            warn(f"Key id: {public.key_id}")
            warn(f"For verifiers of checkpoints: {verifier}")


def _file(workspace: Workspace, order: Order) -> Path | None:
    """The file of its receipt; None when it has none, or it cannot be written."""
    from index.erase.receipt import kept

    with suppress(OSError):
        return kept(workspace, order) if order.receipt else None
    return None


def _row(order: Order, path: Path | None) -> dict[str, object]:
    from index.model import rfc3339

    return {
        "order_id": order.order_id,
        "state": order.state.value,
        "kind": order.kind.value,
        "by": order.placed_by,
        "placed_at": rfc3339(order.placed_at),
        "done_at": rfc3339(order.done_at),
        "lifted_at": rfc3339(order.lifted_at),
        "lifted_by": order.lifted_by or None,
        "lift_reason": order.lift_reason or None,
        "documents": order.documents,
        "chunks": order.chunks,
        "receipt": _text(path),
    }


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _line(order: Order) -> str:
    counts = _counts(order.documents, order.chunks)
    end = f"done at {_at(order.done_at)}" if order.done_at else "not carried out yet"
    said = f"{counts}  {order.kind}, {_placed(order)}, {end}{_lifted(order)}"
    return printable_line(f"{order.order_id:<10} {order.state:<6}  {said}")


def _words(receipt: Receipt, order: Order, path: Path | None) -> list[str]:
    """The receipt as lines of text."""
    log = receipt.log
    done = f"carried out at {_at(receipt.done_at)}: {_counts(receipt.documents, receipt.chunks)}"
    end = "which no longer stand" if order.lifted_at else "which keep out what was erased"
    return [
        f"Order {receipt.order_id} ({receipt.kind}), {_placed(order)}, {done}{_lifted(order)}.",
        "Places:",
        *[f"  {place['place']}: {place['claim']}. {place['evidence']}" for place in receipt.places],
        "Not covered:",
        *[f"  {sentence}" for sentence in receipt.not_covered],
        f"{plural(len(receipt.tombstones), 'tombstone')}: keyed hashes, {end}.",
        f"Entry {log.seq} of the log {log.origin}, among {log.size:,} with the root {log.root.hex()}.",
        f"Signed by the key {receipt.signer.key_id}.",
        f"The signed text: {path or f'freshkb receipts show {receipt.order_id} --raw'}",
    ]


def _placed(order: Order) -> str:
    return f"placed by {order.placed_by or 'unknown'} at {_at(order.placed_at)}"


def _lifted(order: Order) -> str:
    if order.lifted_at is None:
        return ""
    return f", lifted by {order.lifted_by or 'unknown'} at {_at(order.lifted_at)}: {order.lift_reason}"


def _counts(documents: int, chunks: int) -> str:
    return f"{plural(documents, 'document')}, {plural(chunks, 'chunk')}"


def _at(moment: datetime) -> str:
    """People read no parts of a second."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _reason(receipt: Receipt, given: bool) -> str:
    said = f"carried out at {_at(receipt.done_at)} ({_counts(receipt.documents, receipt.chunks)})"
    log, name = receipt.log, receipt.signer.key_id
    whose = f"Signed by the given key {name}."
    if not given:
        whose = (
            f"Signed by the key that it carries, {name}: compare this id with that of the key that its "
            "signer has published, or check with that key: --key PEM."
        )
    proved = f"Entry {log.seq} of the log {log.origin} says so, among {log.size:,}"
    return f"Order {receipt.order_id} was {said}. {proved}. {whose}"


def _not_in(receipt: Receipt, found: list[Revealed], strange: list[str]) -> str:
    return (
        f"The receipt of {receipt.order_id} is signed, and of {plural(len(found), 'document')} of the reveal "
        f"file it is not about {len(strange):,}: {strange[0]}{', …' if len(strange) > 1 else ''}"
    )


receipts = Group(
    "Show the proofs of erasures, and check those of others.",
    {"list": list_orders, "show": show, "verify": verify, "key": key},
)
