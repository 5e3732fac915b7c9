"""The owners' page: my documents, and one click to answer.

A small web application without scripts. `app` has the routes, `serve` the server, `access` says who is asking
and refuses what a stranger's page could make a browser send, `owners` which owners a person answers for,
`board` has the documents and carries out answers, `pages` fills the templates. Answers are those of
`index.sync.requests` (a review) and `index.sync.answers`.

Who is asking
    On this machine the login name, which may see and answer everything. Behind a proxy the name that its
    header gives (`ui.user_header`), who sees their own. With a signed link from a digest its person, for the
    document that it names. No address that only reads changes anything: mail programs open links to look at
    them.
"""
