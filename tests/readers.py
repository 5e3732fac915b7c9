"""Readers by format, imported by the test that reads: some of their libraries import torch, and each worker
collects all files of tests."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from index.model import Parsed
from index.parse.formats import Format


def parse(path: Path, format: Format) -> Parsed:
    """As the format's reader does it. Raises `outline.Unreadable`."""
    found: Parsed = import_module(f"index.parse.readers.{format.module}").parse(path, format)
    return found
