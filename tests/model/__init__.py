"""Does the index equal its source, whatever happens and in whatever order?

Goal: find sequences of ordinary events (edits, renames, crashes, partial syncs, damage, another model) after
which the index is not what its source says. Single cases are in `tests.index`; here it is their mixture.

Method: a seed gives a list of operations (`operations`), plain data that can be printed and replayed. A
`Folder` carries them out on a real folder and in a dictionary of what the source holds. A `Trial` runs the
real engine (ledger, embedded store, parser, files connector; only the model is a stand-in) and after each
whole sync holds the index against the dictionary:

- each document has the state and the text that parsing it now gives, nothing else is in the index, and a deep
  `verify` finds nothing;
- only texts that the index did not have were embedded, and a plan right afterwards has nothing to do;
- a document that stayed, or was renamed without an edit, kept its id;
- what cannot be read keeps the text it had, what a legal hold stands on stays;
- owners are those of the rules in force.

A trace ends with an index built from nothing, which must have the same payloads and vectors. Crashes are
raised before, in the middle of, or after a writing call to ledger or store, chosen by the seed.

`python -m tests.model --seed S --ops N` runs a trace; `--shrink` looks for a shorter one that fails.
"""
