"""The walls between a parser's child and the rest of the machine.

`walls` builds them in order and reports which stand; `namespaces`, `landlock` and `privileges` are the walls,
`kernel` the system calls that Python lacks, `installation` the files that a child may read.
"""
