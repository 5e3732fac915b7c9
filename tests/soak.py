"""What marks tests, or single cases of them, as those of the long form alone."""

from __future__ import annotations

import pytest

#: They are skipped before anything is made for them.
LONG = pytest.mark.skipif("not config.getoption('--soak')", reason="Only with --soak.")
