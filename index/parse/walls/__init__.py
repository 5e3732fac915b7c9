"""What stands between a parser's child and everything else.

`walls` builds them in order and says which stand; `namespaces`, `landlock` and `privileges` are the walls,
`kernel` the system calls that Python lacks, `installation` the files that a child may read.
"""
