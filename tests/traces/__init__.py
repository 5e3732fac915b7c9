"""Does the index equal its source, whatever happens and in whatever order?

Goal: find sequences of ordinary events (edits, renames, permissions, crashes, partial syncs, damage, another
model) after which the index is not what its source says. Single cases are in `tests.index`; here it is their
mixture.

Method: a seed gives a list of operations (`operations`), plain data that can be printed and replayed; in each
stretch of it about half of the kinds of operations do not happen, so that rare ones meet often. A `Folder`
carries them out on a real folder and in a dictionary of what the source holds. A `Trial` runs the real engine
(ledger, store, parser, files connector; only the model is a stand-in, and the parser's answer for a content
is remembered) and after each whole sync the `Oracle` holds the index against the dictionary:

- each document has the state and the text that parsing it now gives, nothing else is in the index, and a deep
  `verify` of ledger and store finds nothing;
- only texts that the index did not have were embedded, and a plan right afterwards has nothing to do;
- a document that stayed, or was renamed without an edit, kept its id;
- a document that cannot be read or parsed keeps the text it had, a document under a legal hold stays;
- while a folder cannot be read nothing is removed, and the run says so;
- owners are those of the rules in force.

After runs that are not whole (hints, crashes, syncs during which the folder changes) ledger and store agree,
and nothing was removed that the source had all the time. A trace ends with an index built from nothing: its
image (`tests.promises.image`: documents, chunks, payloads, both vectors, point ids) must be the same, up to
the ids that history gave. Values that no source gives are left out: reviews, and the old texts of documents
that are held or quarantined.

Permissions are real ones; they bind the superuser, too (`permissions`). A crash (`crashes`) stops all parts
before, in the middle of or after a writing call, chosen by the seed. It leaves the state that a kill at that
moment would leave, as far as it was flushed by then; real kills are in `tests.promises.test_kill`. Nothing
else is left to chance either, inodes included: the same seed has the same outcome each time.

`python -m tests.traces --seed S --ops N` runs a trace, `--seeds K` so many, `--store qdrant` against the
server that FRESHKB_TEST_QDRANT_URL names (and empties it), or an in-memory stand-in. A trace that fails is
written to a file; `--replay FILE` tries it again, and `--shrink` looks for a shorter one that fails, too.
"""
