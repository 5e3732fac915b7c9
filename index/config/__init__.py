"""The configuration: ``freshkb.yaml``, environment overrides, and what holds for each source."""

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
