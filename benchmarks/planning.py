"""What it costs to find out that nothing has changed."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Collection, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import batched, islice
from pathlib import Path
from typing import ClassVar

from benchmarks.measure import Bench, Row, best
from benchmarks.processes import run
from benchmarks.workplace import SOURCE, configure, mirror, write_configuration
from connectors.base import (
    BUILT_IN,
    Capabilities,
    Connector,
    ConnectorSettings,
    DocumentVanished,
    Entry,
    Fetched,
    Listing,
)
from index.mirror import Mirror
from index.model import Document, State
from index.sync import plan
