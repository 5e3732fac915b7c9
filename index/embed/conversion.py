"""Conversions of models for OpenVINO: made once by a child process, kept in the user's cache.

A conversion is a folder: the converted model, its tokenizer, and a record of how it was found to compute. Its
name holds the model's revision and the versions of the libraries. It is made in a hidden folder beside it and
renamed when it is whole. A model that cannot be converted has a record alone, which says why.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from index.cores import cores
from index.disk.atomic import replacing
from index.disk.cache import user_cache
from index.disk.flock import take
from index.disk.private import private_folder
from index.embed import openvino_model
from index.embed.identity import ModelIdentity
from index.model import digest

log = logging.getLogger("freshkb.embed")

#: Counts the changes in how models are converted and compared.
_VERSION = 2
_LIBRARIES = ("openvino", "sentence-transformers", "transformers", "tokenizers", "torch")

RECORD = "conversion.json"
FILES = ("model.xml", "model.bin", "tokenizer.json", "f32.blob", "bf16.blob")

#: The child's exit status when torch cannot load the model either.
NOT_LOADED = 3

_DAY_SECONDS = 86400
#: Seconds that a conversion may take; a large model takes a minute.
_SECONDS_MAX = 1800
#: After a child that was killed, as when memory was short, the next attempt is not made before.
_RETRY_SECONDS = _DAY_SECONDS
#: Conversions that were not used for so long are removed when another is made.
_UNUSED_SECONDS = 60 * _DAY_SECONDS

_BOOT = (
    "import json,sys; sys.path[:]=json.loads(sys.argv[1]); from index.embed import convert; convert.main()"
)


class Unavailable(Exception):
    """There is no conversion, and none can be made now; says why."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A model's files for OpenVINO, and how they were found to compute."""

    folder: Path
    refused: str = ""
    """Why torch computes the model; empty when OpenVINO does."""
    precision: str = "float32"
    """The precision that `auto` means for this model on such a processor."""
    computes: dict[str, str] = field(default_factory=dict)
    """{precision of a collection: that of OpenVINO}."""
    likeness: dict[str, list[float]] = field(default_factory=dict)
    """{precision of OpenVINO: [mean, least] cosine to torch in float32}."""
    seconds: dict[str, float] = field(default_factory=dict)
    """{precision of OpenVINO: for the paragraphs of `probes`}."""
    inputs: tuple[str, ...] = ()
    dimension: int = 0
    max_tokens: int = 0
    document_prompt: str = ""
    query_prompt: str = ""


def find(identity: ModelIdentity) -> Conversion | None:
    """The conversion of this model for this processor, if it is there and whole. Raises Unavailable when
    there can be none."""
    return _read(_folder(identity))


def ensure(identity: ModelIdentity) -> Conversion:
    """The conversion of this model for this processor; made by a child process when it is missing. When
    another process makes it, waits for that. Raises Unavailable, ModelChanged."""
    folder = _folder(identity)
    found = _read(folder)
    if found is not None:
        return found
    try:
        private_folder(folder.parent)
        with _locked(folder.parent):
            found = _read(folder)
            return found if found is not None else _convert(identity, folder)
    except OSError as error:
        raise Unavailable(_no_place(folder.parent, error)) from error


def obstacle() -> str | None:
    """Why no conversion can be kept, as far as modes say."""
    cache = _cache()
    nearest = next(path for path in (cache, *cache.parents) if path.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return None
    return _no_place(cache, f"{nearest} is closed to this user")


def discard(conversion: Conversion) -> None:
    """Remove a conversion that cannot be used."""
    with suppress(OSError):
        conversion.folder.joinpath(RECORD).unlink(missing_ok=True)


def keep(folder: Path, facts: dict[str, Any]) -> None:
    """Write the record of a conversion, which vouches for the other files as they are now."""
    paths = (path for path in map(folder.joinpath, FILES) if path.exists())
    record = {**facts, "files": {path.name: [*_stamp(path), _hash(path)] for path in paths}}
    with replacing(folder / RECORD, grants=0) as file:
        json.dump({"check": digest(record), "record": record}, file, ensure_ascii=False, indent=1)


def _no_place(cache: Path, why: object) -> str:
    return (
        f"the converted model cannot be kept in {cache} ({why}); let XDG_CACHE_HOME name a folder that can "
        "be written"
    )


def _folder(identity: ModelIdentity) -> Path:
    try:
        processor = openvino_model.processor()
        versions = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    except Exception as error:
        # No wheel for this platform, a library that is missing: it is loaded by the system's linker.
        raise Unavailable(f"OpenVINO cannot be used here ({type(error).__name__}: {error})") from error
    # What was compared is what is used: kernels differ by processor and by threads.
    machine = [processor, cores()]
    key = digest([_VERSION, identity.revision, identity.max_tokens, versions, machine])
    name = re.sub(r"[^\w.-]+", "_", identity.model.rstrip("/").rpartition("/")[2]) or "model"
    return _cache() / f"{name[:60].lstrip('.')}-{key[:20]}"


def _cache() -> Path:
    """Where the user's conversions are. Raises Unavailable."""
    try:
        return user_cache() / "models"
    except RuntimeError as error:
        raise Unavailable(f"there is no folder to keep the converted model in ({error})") from error


def _read(folder: Path) -> Conversion | None:
    path = folder / RECORD
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        record = noted["record"]
        if noted["check"] != digest(record):
            raise ValueError("the record is damaged")
        for name, (*stamp, content) in record.pop("files").items():
            # A copy of the folder has other stamps.
            if _stamp(folder / name) != stamp and _hash(folder / name) != content:
                raise ValueError(f"{name} is damaged")
        until = record.pop("until", None)
        if until is not None and time.time() > until:
            return None
        found = Conversion(folder, **{**record, "inputs": tuple(record.get("inputs", ()))})
        if time.time() - path.stat().st_mtime > _DAY_SECONDS:
            with suppress(OSError):
                os.utime(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        log.debug("The conversion in %s cannot be used: %s.", folder, error)
        return None
    return found


def _convert(identity: ModelIdentity, folder: Path) -> Conversion:
    """Raises OSError when the files cannot be written, ModelChanged when the folder holds another model."""
    identity.require_unchanged()
    _sweep(folder.parent)
    log.info("Converting the model %s for this processor, once.", identity.model)
    begun = time.perf_counter()
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".converting-"))
    try:
        facts = json.dumps(asdict(identity), default=str)
        command = [sys.executable, "-c", _BOOT, json.dumps(sys.path), facts, str(made)]
        _run(command, made)
        if _read(made) is None:
            raise Unavailable("the converted model could not be read back")
        # An older one is damaged.
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    found = _read(folder)
    if found is None:
        raise Unavailable("the converted model was changed while it was put into its place")
    log.info("Converted in %.1f s%s.", time.perf_counter() - begun, found.refused and f": {found.refused}")
    return found


def _run(command: list[str], folder: Path) -> None:
    """Let a child convert into this folder. Raises Unavailable when it leaves no record."""
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_SECONDS_MAX,
            check=False,
        )
        code, said = ended.returncode, ended.stderr.decode(errors="replace")
    except subprocess.TimeoutExpired:
        code, said = -9, f"it took longer than {_SECONDS_MAX} s"
    log.debug("The conversion ended with %d: %s", code, said[-4000:])
    if code == 0:
        return
    last = (said.strip().splitlines() or ["it said nothing"])[-1]
    if code < 0 and _read(folder) is None:
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        keep(
            folder,
            {"refused": f"the conversion was killed ({last[:300]})", "until": time.time() + _RETRY_SECONDS},
        )
    elif code > 0:
        raise Unavailable(last[:500])


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One conversion at a time: each takes the memory of several models."""
    while (lock := take(folder, os.O_RDONLY)) is None:
        time.sleep(0.1)
    try:
        yield
    finally:
        lock.release()


def _sweep(cache: Path) -> None:
    """Remove what was left by a kill, and what nobody has used for long. No other conversion is under way."""
    for path in cache.iterdir():
        with suppress(OSError):
            used = (path if path.name.startswith(".") else path / RECORD).stat().st_mtime
            if path.name.startswith(".converting-") or time.time() - used > _UNUSED_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
