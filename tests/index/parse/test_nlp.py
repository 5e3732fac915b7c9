"""The pipeline of the text classifier, and what it would import."""

from __future__ import annotations

import subprocess
import sys


def test_a_child_that_imports_every_reader_imports_no_torch() -> None:
    program = (
        "import sys; from index.parse import worker; worker.load_everything(); "
        "print('spacy' in sys.modules, sys.modules['torch'])"
    )
    ended = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True, timeout=300
    )
    assert ended.stdout == "True None\n", ended.stderr
