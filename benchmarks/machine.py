"""The machine that the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Machine:
    processor: str
    cores: int
    """That this process may use."""
    memory_gb: float
    bf16: bool
    """Whether the engine chooses bfloat16 here, which it does where that is faster."""
    system: str
    python: str
    torch: str
    openvino: str

    def __str__(self) -> str:
        precision = "fastest in bfloat16" if self.bf16 else "fastest in float32"
        hardware = f"{self.processor} ({precision}), {self.cores} cores, {self.memory_gb:.0f} GB of memory"
        return (
            f"{hardware}, {self.system}, Python {self.python}, OpenVINO {self.openvino}, torch {self.torch}"
        )

    def json(self) -> dict[str, Any]:
        return asdict(self)


def describe(cache: Path) -> Machine:
    """This machine. `cache` is a folder for what the engine remembers of its model."""
    from importlib.metadata import version

    from index.embed.embedder import resolve_dtype
    from index.embed.identity import DEFAULT, identify

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(
        processor=_processor(),
        cores=cores,
        memory_gb=round(memory, 1),
        bf16=resolve_dtype("auto", identify(DEFAULT, cache)) == "bfloat16",
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        torch=version("torch"),
        openvino=version("openvino"),
    )


def _processor() -> str:
    try:
        told = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        told = None
    return told[1] if told else platform.processor() or platform.machine()
