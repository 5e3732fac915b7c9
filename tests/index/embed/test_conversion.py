"""The cache of conversions: made once, whole or not at all, whatever happens. The children of these tests are
processes that copy a conversion, so that none of them imports torch: the real one where it is to compute,
else small files in its place, because 90 MB are copied and hashed several times in each test."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from index.embed import conversion, openvino_model, torch_model, way
from index.embed.conversion import FILES, RECORD, Conversion, Unavailable, ensure, find, keep
from index.embed.embedder import Embedder
from index.embed.identity import ModelIdentity
from tests import forks
from tests.commands import environment

#: A child that makes the conversion of `{source}` again, and notes that it was asked; more may come before.
CHILD = """
import json, sys; sys.path[:] = json.loads(sys.argv[1])
import os, pathlib, shutil, signal, time
from index.embed import conversion
folder, source = pathlib.Path(sys.argv[3]), pathlib.Path({source!r})
with open({notes!r}, "a") as notes: print(os.getpid(), file=notes)
record = json.loads((source / conversion.RECORD).read_text())["record"]
files = record.pop("files")
for name in files: shutil.copy(source / name, folder)
{more}
conversion.keep(folder, record)
"""


@pytest.fixture(scope="module")
def real(identity: ModelIdentity) -> Conversion:
    return ensure(identity)


class Children:
    """Which conversions were made; `more` is what the next child does before it has finished."""

    def __init__(self, source: Path, notes: Path, patch: pytest.MonkeyPatch) -> None:
        self._source, self._notes, self._patch = source, notes, patch
        self.do("")

    def do(self, more: str) -> None:
        self.code = CHILD.format(source=str(self._source), notes=str(self._notes), more=more)
        self._patch.setattr(conversion, "_BOOT", self.code)

    @property
    def number(self) -> int:
        return len(self._notes.read_text().splitlines()) if self._notes.exists() else 0


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "freshkb" / "models"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files, and a record that vouches for them."""
    folder = tmp_path_factory.mktemp("small")
    for name in FILES[:-1]:
        (folder / name).write_text(f"{name} " * 100, encoding="utf-8")
    likeness = {"likeness": {"f32": [1.0, 1.0]}, "computes": {"float32": "f32", "bfloat16": "f32"}}
    keep(folder, {"inputs": ["input_ids"], "dimension": 384, "max_tokens": 256, **likeness})
    return folder


@pytest.fixture
def forked_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children are forks of a process that has imported everything."""
    monkeypatch.setattr(conversion, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": forks.run}))


@pytest.fixture
def children(
    small: Path, forked_children: None, cache: Path, soak: bool, tmp_path: Path,
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch,
) -> Children:  # fmt: skip
    """Of small files; in the long form, of the real ones."""
    source = request.getfixturevalue("real").folder if soak else small
    return Children(source, tmp_path / "notes", monkeypatch)


@pytest.fixture
def faithful(
    real: Conversion, forked_children: None, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Children:
    """Children whose conversions compute."""
    return Children(real.folder, tmp_path / "notes", monkeypatch)


@pytest.fixture
def started(real: Conversion, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Children:
    """The same, started as users start them."""
    return Children(real.folder, tmp_path / "notes", monkeypatch)


def works(identity: ModelIdentity) -> bool:
    """Whether the model is computed by OpenVINO."""
    embedder = Embedder(identity, "float32")
    vector = np.array(embedder.embed_query("How much leave?"))
    assert isinstance(embedder._model(), openvino_model.OpenVinoModel)
    return bool(abs(np.linalg.norm(vector) - 1) < 1e-5)


# ── Made once ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_real_conversion_is_faithful_and_private(real: Conversion) -> None:
    assert real.refused == ""
    assert real.likeness["f32"] > [0.9999, 0.9999]
    expected = {"model.xml", "model.bin", "tokenizer.json", RECORD, *(f"{p}.blob" for p in real.likeness)}
    assert {path.name for path in real.folder.iterdir()} == expected
    for path in (real.folder, real.folder.parent, *real.folder.iterdir()):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_conversion_is_made_once(identity: ModelIdentity, started: Children, cache: Path) -> None:
    assert find(identity) is None
    made = ensure(identity)
    assert (made, started.number) == (find(identity), 1)
    assert ensure(identity) == made and works(identity)
    assert started.number == 1
    assert [path.name for path in cache.iterdir()] == [made.folder.name]


def test_its_name_holds_model_libraries_and_machine(
    identity: ModelIdentity, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = conversion._folder(identity)
    assert first.name.startswith("all-MiniLM-L6-v2-")
    with monkeypatch.context() as patch:
        # A virtual machine that shows more of a processor of the same name.
        patch.setattr(openvino_model, "_CPUINFO", tmp_path / "cpuinfo")
        (tmp_path / "cpuinfo").write_text("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 smep\n\n")
        slow = conversion._folder(identity)
        assert openvino_model.processor()[2] == ["avx512_bf16", "avx512f"]
        (tmp_path / "cpuinfo").write_text("processor\t: 0\nflags\t\t: fpu avx512f avx512_bf16 amx_bf16\n\n")
        assert len({slow, conversion._folder(identity)}) == 2
        (tmp_path / "cpuinfo").unlink()
        assert openvino_model.processor()[2] == []
    monkeypatch.setattr(conversion, "cores", lambda: 64)
    second = conversion._folder(identity)
    monkeypatch.setattr(openvino_model, "processor", lambda: ("Another", ["FP32"], []))
    third = conversion._folder(identity)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "99")
    assert len({first, second, third, conversion._folder(identity)}) == 4


def test_processes_that_need_it_at_once_make_it_once(
    identity: ModelIdentity, children: Children, cache: Path, tmp_path: Path
) -> None:
    children.do("time.sleep(1)")
    code = (
        "import sys, pathlib\n"
        "from index.embed import conversion\n"
        "from index.embed.identity import DEFAULT, identify\n"
        "conversion._BOOT = sys.argv[1]\n"
        "print(conversion.ensure(identify(DEFAULT, pathlib.Path(sys.argv[2]))).refused == '')\n"
    )
    command = [sys.executable, "-c", code, children.code, str(tmp_path)]
    both = [forks.Popen(command, stdout=forks.PIPE, env=environment()) for _ in range(3)]
    assert [process.communicate(timeout=100)[0] for process in both] == [b"True\n"] * 3
    assert children.number == 1


# ── Damage ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "tokenizer.json", "f32.blob", RECORD])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_what_is_damaged_is_made_again(
    identity: ModelIdentity, children: Children, name: str, damage: str
) -> None:
    path = ensure(identity).folder / name
    if damage == "gone":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data if damage == "changed" else data[: len(data) // 2])
    assert find(identity) is None
    assert not ensure(identity).refused
    assert children.number == 2
    assert find(identity) is not None


@pytest.mark.parametrize(
    "record", ["no JSON", "[]", "{}", '{"check": "x", "record": {}}', '{"record": null}']
)
def test_a_record_that_makes_no_sense_is_none(
    identity: ModelIdentity, children: Children, record: str
) -> None:
    (ensure(identity).folder / RECORD).write_text(record, encoding="utf-8")
    assert find(identity) is None


def rewrite(made: Conversion, name: str, content: bytes) -> None:
    """Another content, for which the record vouches."""
    record = json.loads((made.folder / RECORD).read_text(encoding="utf-8"))["record"]
    del record["files"]
    (made.folder / name).write_bytes(content)
    keep(made.folder, record)


def test_files_that_openvino_cannot_read_are_made_again(identity: ModelIdentity, faithful: Children) -> None:
    made = ensure(identity)
    rewrite(made, "model.xml", b"<net/>")
    rewrite(made, "f32.blob", b"x")
    assert works(identity)
    assert faithful.number == 2


def test_what_was_compiled_for_another_openvino_is_compiled_anew(
    identity: ModelIdentity, faithful: Children
) -> None:
    rewrite(ensure(identity), "f32.blob", b"x")
    assert works(identity)
    assert faithful.number == 1


def test_a_copy_of_the_cache_is_taken(
    identity: ModelIdentity, children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(identity)
    shutil.copytree(tmp_path / "cache", tmp_path / "copy")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "copy"))
    assert find(identity) is not None
    assert children.number == 1


# ── Ends of children ──────────────────────────────────────────────────────────────────────────────────


def test_after_a_child_that_was_killed_torch_computes_for_a_day(
    identity: ModelIdentity, children: Children
) -> None:
    children.do("print('half-way', file=sys.stderr, flush=True); os.kill(os.getpid(), signal.SIGKILL)")
    made = ensure(identity)
    assert made.refused == "the conversion was killed (half-way)"
    assert [path.name for path in made.folder.iterdir()] == [RECORD]
    assert "by torch" in way.describe(identity, "float32") and "was killed" in way.describe(
        identity, "float32"
    )
    children.do("")
    assert ensure(identity) == made and children.number == 1
    keep(made.folder, {"refused": made.refused, "until": time.time() - 1})
    assert ensure(identity).refused == "" and children.number == 2


def test_a_crash_on_bfloat16_leaves_what_was_recorded_before(
    identity: ModelIdentity, faithful: Children
) -> None:
    faithful.do("conversion.keep(folder, record); os.kill(os.getpid(), signal.SIGFPE)")
    assert ensure(identity).refused == "" and works(identity)


def test_a_child_that_fails_leaves_nothing_and_the_next_one_tries_again(
    identity: ModelIdentity, children: Children, cache: Path
) -> None:
    children.do("sys.exit('No space left on device')")
    with pytest.raises(Unavailable, match="No space left on device"):
        ensure(identity)
    assert list(cache.iterdir()) == []
    children.do("")
    assert ensure(identity).refused == ""


def test_an_interruption_leaves_nothing(
    identity: ModelIdentity, children: Children, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("index.embed.conversion.subprocess.run", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ensure(identity)
    assert list(cache.iterdir()) == []
    assert ensure(identity).refused == ""


def test_what_a_kill_left_and_nobody_uses_is_removed(
    identity: ModelIdentity, children: Children, cache: Path
) -> None:
    left, old, used = cache / ".converting-abc", cache / "old-1", cache / "used-1"
    for folder in (left, old, used):
        folder.mkdir(parents=True)
        (folder / FILES[0]).write_text("x", encoding="utf-8")
        (folder / RECORD).write_text("{}", encoding="utf-8")
    long_ago = time.time() - 100 * 86400
    os.utime(old / RECORD, (long_ago, long_ago))
    ensure(identity)
    assert {path.name for path in cache.iterdir()} == {"used-1", conversion._folder(identity).name}


def test_a_conversion_in_use_stays_young(identity: ModelIdentity, children: Children) -> None:
    record = ensure(identity).folder / RECORD
    long_ago = time.time() - 50 * 86400
    os.utime(record, (long_ago, long_ago))
    assert find(identity) is not None
    assert time.time() - record.stat().st_mtime < 3600


# ── No place ──────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_place_to_keep_it_the_reason_is_given(
    identity: ModelIdentity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(Unavailable, match=r"cannot be kept in .*; let XDG_CACHE_HOME name a folder"):
        ensure(identity)
    assert way.choose(identity).conversion is None
    assert way.describe(identity, "auto").startswith("by torch, because the converted model cannot be kept")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert conversion._cache().is_relative_to(tmp_path / "home")
    assert way.describe(identity, "auto").startswith("by OpenVINO once it is converted")


def test_without_openvino_the_reason_is_given(
    identity: ModelIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(Unavailable, match="OpenVINO cannot be used here"):
        ensure(identity)
    assert way.describe(identity, "float32").startswith("by torch (precision float32), because OpenVINO")


# ── A GPU ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("build", "device", "visible", "may"),
    [
        ("", True, None, True),
        ("", False, None, False),
        ("cpu", True, None, False),
        ("cu130", True, None, True),
        ("cu130", True, "", False),
        ("cu130", True, "-1", False),
        ("cu130", True, "0", True),
        ("xpu", False, None, True),
    ],
)
def test_a_gpu_is_looked_for_without_torch(
    build: str, device: bool, visible: str | None, may: bool, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """By what torch was built for, which its makers put behind the version."""
    version = "+".join(filter(None, ("2.13.0", build)))
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    monkeypatch.setattr(torch_model, "_DEVICES", (str(tmp_path if device else tmp_path / "none"),))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert torch_model._may_have_gpu() is may


def test_with_a_gpu_torch_computes(identity: ModelIdentity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_model, "gpu", lambda: "cuda")
    assert way.choose(identity).conversion is None
    described = way.describe(identity, "bfloat16")
    assert described == "by torch (precision bfloat16), because there is a GPU (cuda)"
