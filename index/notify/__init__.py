"""Telling owners: one digest per person and period, worst first, and nothing twice.

Vocabulary
    An *item* is an open finding, as one person is asked for it. A *digest* is what a person gets on one
    *channel* (mail, or an Apprise url). A *notice* is its record in the ledger. A *period* has the configured
    length (``notify.period``); periods follow each other from a Monday, 0:00 UTC.

A digest
    An item goes to the person that the owner of the finding stands for (`index.people`); that an owner stands
    for nobody goes to the owner of the source. Documents that an owner has snoozed are left out.
    An item is *due* on a channel when it was never told there, when it was told and has gone since and come
    back, or when nine tenths of a period have passed since it was told (not a whole one, because a schedule
    may be late by minutes one week and not the next). A changed finding is another one: a document that
    warned and turns stale is due.
    A person with a due item gets one digest in the period that it is, with all that is due: the ten worst
    items, and the number of the others. A mail has all open findings of its person attached. Whoever has
    nothing due gets nothing. What turns up after the digest waits for the next period.

Escalation
    With ``notify.escalate_after``, what a person was told so long ago on any channel, and is still open, is
    in the digest of their manager, too, under the same rules.

Once
    A notice is on record, durably, before its digest is sent, and settled after it. It is *sent* or *failed*:
    a failed one was surely not accepted (the server could not be reached, or refused it), and is tried again
    by the next run. When the process or the connection ends between the two, nobody can know: the notice is
    *unknown*, is said to be once, and is never sent again. Its items count as told, and come back after a
    period. Of two runs at a time, one sends each digest: a claim is one insert.

Modules `digest` (who gets what, from values alone) · `render` (a digest as text, HTML and CSV) · `message`
    (as a mail) · `channels` (SMTP, Apprise) · `tell` (control flow).

No name, address, title or path goes to the log, a run's record or Prefect; persons are in the ledger as keyed
hashes. May import: the rooms up to `audit`.
"""
