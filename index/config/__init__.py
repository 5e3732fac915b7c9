"""The configuration: ``freshkb.yaml``, environment overrides, and the values that hold for each source.

Vocabulary
    A *block* is a part of the file as it is written (`SourceBlock`, `Limits`); a *setting as it holds* has
    defaults filled in and paths made absolute (`Config`, `SourceConfig`). A *rule* gives the documents that
    match a path their owners and their policy; rules of retention say how long they are kept.

Modules `load` (find, read, override, validate) with `text` (YAML and its lines), `blocks` (as written),
    `messages` (all problems at once), `resolve` → `resolved` (as it holds) · `rules` (owner, policy and link
    of a document) · `schema`, `template`, `show` (for people and editors) · `schedule`, `units`,
    `patterns`, `services` (parsers).

No secret is in a message or in `show`. May import: `connectors.base`, `anchors`, `freshness`, `retention`,
`model`, `errors`, `redact`, `printable`.
"""

from index.config.blocks import Embedding, Index, Schedules, Watch
from index.config.load import find, load
from index.config.resolved import Config, Defaults, DeletionGuard, DocumentLimits, Rule, SourceConfig
from index.config.schedule import next_time
from index.config.schema import schema
from index.config.template import template
from index.freshness.assess import FreshnessPolicy, Policy

__all__ = [
    "Config",
    "Defaults",
    "DeletionGuard",
    "DocumentLimits",
    "Embedding",
    "FreshnessPolicy",
    "Index",
    "Policy",
    "Rule",
    "Schedules",
    "SourceConfig",
    "Watch",
    "find",
    "load",
    "next_time",
    "schema",
    "template",
]
