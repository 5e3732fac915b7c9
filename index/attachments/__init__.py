"""Attachments: the files in a mail are documents of their own.

Vocabulary
    A *mail* is a document of a format that holds others (`members.is_mail`). A *member* is a file attached to
    it, by its path below the mail: ``contract.pdf``, or ``letter.eml/plan.docx`` of a mail that is attached
    itself. Its uri is the mail's uri, a slash, and that path; `ENCLOSED_IN` among its properties names the
    mail, whose link, dates and owner by the source it shares.

Modules
    `members` (names, uris and entries, from values alone) · `mails` (asked of a parser's child: the members
    of a mail, the bytes of one) · `look` (several mails at once) · `memory` (members of unchanged mails, so
    that no listing opens these) · `opened` (the mail that was asked for last) · `spool` (the rest of a
    listing, on disk) · `waiting` (attachments in its order) · `connector` (`WithAttachments`, around any
    connector).

Invariants
    Nobody but `WithAttachments` knows of mails: what it lists, plans, holds, orders and receipts take for
    documents like any other. A mail whose members cannot be told keeps those that the index has. Bytes of a
    mail are read in a parser's child only. The source is not asked for a mail while it is being listed, nor
    for an attachment as long as its mail can be read. What the source has itself at a uri comes first.

Limits
    `index.model.ATTACHMENTS_MAX` of a mail, `members.LEVELS_MAX` of mails in mails, and the source's
    `limits.max_size` for each. What is beyond them is a finding of the mail.

May import: `connectors.base`, `disk`, `freshness`, `model`, `errors`, `parse`.
"""

from index.attachments.connector import LEFT_OUT, WithAttachments
from index.attachments.mails import Mails

__all__ = ["LEFT_OUT", "Mails", "WithAttachments"]
