"""A digest as a mail: text, HTML, and a table attached."""

from __future__ import annotations

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from index.notify import render
from index.notify.digest import Digest
from index.printable import printable_line

#: Lines end as in a mail, and every byte is ASCII.
_POLICY = SMTP.clone(cte_type="7bit")


def message(digest: Digest, sender: str, at: datetime, identity: str) -> EmailMessage:
    """The mail of a digest. `sender` is a mail address or a name with one; `identity`, of the notice, makes
    the same Message-ID whenever it is tried again."""
    name, address = parseaddr(sender)
    domain = address.rpartition("@")[2]
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = _address(name or digest.base or "freshkb", address)
    mail["To"] = _address(digest.person.name, digest.person.email)
    mail["Subject"] = render.subject(digest)
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = f"<{identity}@{domain}>"
    ways = [f"<mailto:{address}?subject=unsubscribe>", *([f"<{digest.home}>"] if digest.home else [])]
    mail["List-Unsubscribe"] = ", ".join(ways)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(_utf8(render.text(digest)))
    mail.add_alternative(_utf8(render.html(digest)), subtype="html")
    mail.add_attachment(_utf8(render.table(digest)), subtype="csv", filename="findings.csv")
    return mail


def _address(name: str, address: str) -> Address:
    return Address(display_name=_utf8(printable_line(name)), addr_spec=address)


def _utf8(text: str) -> str:
    """Half a character, which a broken title may hold, becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
