"""The wheel has all files of the packages, data files included."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from tests.test_layers import PACKAGES, ROOT


def test_the_wheel_has_every_file_of_the_packages(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    assert any(name.endswith(".jinja") for name in files) and any(name.endswith(".css") for name in files)
    assert files <= set(zipfile.ZipFile(wheel).namelist())
