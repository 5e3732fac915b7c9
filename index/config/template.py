"""The ``freshkb.yaml`` that `freshkb init` writes."""

from __future__ import annotations

import json

_TEMPLATE = """\
# What freshkb mirrors, and where. `freshkb config check` tells whether it is right, `freshkb config schema`
# prints every key. Paths are relative to this file; ${VAR} and ${VAR:-default} stand for environment
# variables, and a variable such as FRESHKB_INDEX__URL overrides the setting index.url.
version: 1

# The embedded index, the ledger and the reports. Never part of a source, even inside its folder.
state_dir: .freshkb

# The database that records every document: sqlite, or for several machines PostgreSQL:
# ledger: postgresql+psycopg://user:${PGPASSWORD}@host/freshkb
ledger: sqlite

# The vector store: embedded (edge), or a Qdrant server:
# index: {store: qdrant, url: http://localhost:6333, api_key: "${QDRANT_API_KEY}", collection: kb}
index:
  store: edge
  collection: kb

# Any sentence-transformers model, by name or path. dtype: auto, bfloat16 or float32.
# A changed model needs `freshkb reindex`.
embedding:
  model: sentence-transformers/all-MiniLM-L6-v2
  dtype: auto
  # When a process that runs on gives the model's memory back, if it is not used; left out: never.
  # release_after: 10m

# What holds for every source that does not say otherwise.
defaults:
  # Who answers for documents that name no owner themselves; [a, b] names several.
  owner: group:knowledge
  # A review is due after warn_after, and the document is not to be trusted after stale_after; or: exempt.
  # The age counts from the first of these fields that a document has: front matter, then the file's date.
  freshness:
    warn_after: 90d
    stale_after: 180d
    field: [last_reviewed, ms.date, sent, modified_at]
  # A sync that would remove more than both of a source's documents asks first.
  delete:
    max_fraction: 0.2
    max_count: 10
    # After a removal, its bytes are off the disk within this time. See also: freshkb purge
    purge_within: 24h
  limits:
    max_size: 50mb
    parse_timeout: 60s

sources:
  - id: documents
    type: files
    root: @ROOT@
    # Patterns as in .gitignore.
    include: ["**/*"]
    exclude: ["**/~$*"]
    # What hits and reports link to, instead of the file; {stem} is the path without its suffix.
    # url: https://wiki.example.org/{path}
    # Whether files and folders whose names begin with a dot are documents.
    hidden: false
    # `freshkb watch` waits until a folder has been quiet for `debounce`, but not longer than `max_wait`,
    # and looks at everything every `sweep`.
    watch: {debounce: 1s, max_wait: 15s, sweep: 15m}
    # Owner and freshness by path; the last rule that matches wins.
    rules: []
    #  - {match: "policies/**", owner: user:anna, freshness: {warn_after: 30d, stale_after: 60d}}
    #  - {match: "archive/**", freshness: exempt}

# How long documents are kept; of several rules that match one, the last decides. The time counts from the
# first of these fields that a document has; without `field`, from the file's date. See docs/retention.md
retention: []
#  - {after: 10y}
#  - {match: "contracts/**", after: 7y, field: [contract_end, modified_at]}
#  - {match: "archive/**", after: never}

# Where the log's signed checkpoints go, so that `freshkb log verify` finds what was rewritten or cut off: a
# file or a git repository that a writer of the ledger cannot write to at will; the system's log.
log:
  anchors: []
  # anchors: ["file:/var/lib/anchors/kb", "git:/srv/anchors.git", "syslog:"]

# How owners are told what the audit finds: `freshkb notify`, once a period. `owners` is a CSV file that says
# which person an owner's name stands for: owner,name,email,manager,members,rota,apprise. See docs/notify.md
# notify:
#   from: kb@example.org
#   smtp: smtp+starttls://kb:${SMTP_PASSWORD}@mail.example.org:587
#   period: 7d
#   escalate_after: 21d
#   page: https://wiki.example.org/owners
#   owners: owners.csv

# When `freshkb serve` runs what: minute, hour, day, month, weekday.
schedules:
  sync: "*/15 * * * *"
  audit: "0 7 * * 1"
  # notify: "0 8 * * 1"
  verify: "0 3 * * 0"
  # Documents whose retention has ended are removed by syncs, too, unless their source cannot be asked.
  # retention: "0 2 * * *"
  purge: "30 2 * * *"
"""


def template(root: str = "./documents") -> str:
    """A commented configuration that is valid as it is and mirrors `root`."""
    # A JSON string is a YAML string, whatever the folder is called; ``$${`` keeps a ``${`` in its name.
    return _TEMPLATE.replace("@ROOT@", json.dumps(root.replace("${", "$${"), ensure_ascii=False))
