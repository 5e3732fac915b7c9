"""Documents of a git repository: the files of one branch or tag, as they are committed.

===============  ==================================================================================
module           holds
===============  ==================================================================================
`settings`       the keys of the configuration, and `Place`: which repository, reached how
`command`        git as a child process: environment, time-outs, retries, errors without secrets
`repository`     one repository, local or cloned: its head, tree, blobs
`history`        one walk of the log: date, author and identity of each path
`tree`           the tree of one commit with what the log says of it, in SQLite
`blob`           the bytes of one document
`lfs`            documents that Git LFS keeps
`reasons`        what to do about a repository that cannot be read
`hosting`        links to the pages of GitHub, GitLab, Gitea, Bitbucket and Azure DevOps
`connector`      `GitConnector`: `list`, `stat`, `fetch`
===============  ==================================================================================

- **A listing is one commit.** Every question is answered for the present head, which the server is asked for
  again when its answer is older than some seconds. When the head has moved, its history is brought, and
  `tree` is made anew in one transaction. A commit is had whole or not at all, so no listing is ever
  incomplete: the source is unavailable.
- **The token is the blob's id.** An unchanged blob is never brought twice, unless a purge took the clone.
- **The clone has no blobs** (``--filter=blob:none``) but those that were fetched, in batches: `tree` knows
  which blobs were not read yet, and those that are likely next come with the one that is asked for. The clone
  lies in the cache's folder of bytes; the tree, which has names, dates and owners only, beside it. A local
  repository is read where it is; nothing is ever written into it.
- **Dates follow the branch.** The walk goes along the first parents of the head: each is a state that the
  branch was in. A path has the date and the author of the last of them that changed it; where that is a
  merge, those of the merged commit that did.
- **Identity is history.** A path's native identity is the commit that created it and its name there, carried
  through renames of unchanged bytes, so that a lost cache gives the same again. A rename with an edit is
  found between the commit that was looked at last and the present one, by git's own measure of likeness; only
  the cache remembers that one.
- **A pushed history that does not continue the known one** (force-push) is walked as a whole.
- **No code of a repository runs.** Only commands that read objects are used on it, with its hooks, monitors,
  signature programs, replacements and transports switched off. Without a work tree there are no filters.
"""
