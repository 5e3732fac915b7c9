"""Where the user's programs keep what they can make again."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def user_cache() -> Path:
    """The folder of freshkb's own in the user's cache. Raises RuntimeError for a user without a home."""
    named = os.environ.get("XDG_CACHE_HOME")
    if named and Path(named).is_absolute():
        return Path(named) / "freshkb"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "freshkb"
