"""Does freshkb keep its promises when something goes wrong? Each module here breaks things in one way.

    test_kill       the process dies (SIGKILL) between any two steps (`killed` is that process)
    test_fault      the Nth call of a part fails: before its effect, after it, half-way, too late, disk full
    test_fault_commands  the message of a command at such a fault, and on a disk that is really full
    test_outages    a source falls silent; nothing may be deleted
    test_verify     store, ledger or source are altered; every difference is found, named and mended
    test_damage     files of the state folder are damaged; `doctor` and `verify` find it, repair mends it
    test_hostile    documents that attack their parser (`hostile` registers their makers), and in
                    test_hostile_programs those that have taken their parser over
    test_writers    several processes want to write one source (`writers` kills them)
    test_readers    several processes search, verify and audit beside a writer (`readers` checks the answers)
    test_reading    a reader has no permission to write, or no room
    test_whole      files are rewritten while they are read
    test_image      the oracle itself: it must see every difference

Ordinary events in random order are in `tests.traces`.

Vocabulary: a *call* is one use of a part (ledger, store, its session, connector, parser, embedder) by the
engine; `parts` puts something around every one of them, so that the code under test holds no switch for
tests. An *image* is all that an index holds, in a form that two indexes of the same sources share; `image`
takes it and says how two of them differ. The oracle of nearly every test is the image of a rebuild from
nothing.

Each test runs in a short form with `make test`, and in a long one with `make soak` (the fixture `soak`).
"""
