"""Documents that have taken their parser over, and do there what they want.

The worker is the real one, behind its real walls, except that a document is a program.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import pytest

import index.parse.child as children
from index.model import State
from index.parse import Parser
from tests.programs import program_parser
from tests.promises.hostile import CRASH, DEEP, MEMORY, SLOW, Hostile
from tests.promises.stage import Stage, in_time, processes, without_privileges

NONSENSE = r"^The document made the parser answer nonsense\.$"
FULL = r"^The document filled more than [\d,]+ MiB of temporary storage\.$"
UNREADABLE = r"^The document (could not be read|is damaged): .+\.$"
LONG = r"^The document holds more text than the limit allows\.$"

#: Processes that a document leaves behind.
_FORKED = 10

#: Writes to every pipe that the worker has; one of them leads to the parent.
_ANSWER = """
import json, os, signal
def answer(data, size=None):
    for pipe in range(3, 30):
        try:
            os.write(pipe, (len(data) if size is None else size).to_bytes(4, "big") + data)
        except OSError:
            pass
    signal.pause()
"""
_PARSED = '{"parsed": {"elements": [{"text": %s, "kind": "x", "heading_path": %s, "page": %s}], %s}}'
_SOUND = (_PARSED % ('"x"', "[]", "null", '"title": ""')).encode()

#: Each with the reasons that it may end with; none when it is indexed all the same, "" when it may be, where
#: the disk is quick enough.
PROGRAMS: dict[str, tuple[str, ...]] = {
    "while True: pass": (SLOW,),
    "import signal, os\nfor n in range(1, 32):\n    try: signal.signal(n, signal.SIG_IGN)\n"
    "    except OSError: pass\nwhile True: signal.pause()": (SLOW,),
    # Bounded, because rlimits do not bind root.
    "import os, signal\nfor _ in range(100):\n    os.fork() or signal.pause()\nsignal.pause()": (SLOW,),
    f"import os, signal\nfor _ in range({_FORKED}):\n    if not os.fork(): signal.pause()": (),
    "x = []\nwhile True: x.append(bytearray(1 << 24))": (MEMORY, SLOW),
    "x = []\nwhile True: x = [x]": (MEMORY, SLOW),
    "def f(): f()\nf()": (DEEP,),
    "import os\nwhile True: os.write(2, b'x' * 65536)": (FULL, UNREADABLE),
    "while True: print('x' * 65536)": (FULL, UNREADABLE),
    "import tempfile\nwhile True: open(tempfile.mkstemp()[1], 'wb').write(bytes(1 << 24))": (FULL,),
    "import os\nfor _ in range(1500):\n    os.mkdir('x')\n    os.chdir('x')": ("", SLOW),
    "import os\nos.abort()": (CRASH,),
    "import os\nos._exit(0)": (CRASH,),
    "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nsignal.pause()": (CRASH, SLOW, UNREADABLE),
    "import os, signal\nos.closerange(0, 99)\nsignal.pause()": (CRASH,),
    "raise SystemExit": (CRASH,),
    "raise KeyboardInterrupt": (CRASH,),
    "raise ValueError('\\x1b[31m /tmp/freshkb \\u202e' + 'x' * 9999)": (UNREADABLE,),
    _ANSWER + "answer(b'nonsense')": (NONSENSE,),
    _ANSWER + "answer(b'[' * 100_000)": (NONSENSE,),
    _ANSWER + "answer(b'[]')": (NONSENSE,),
    _ANSWER + "answer(b'{}')": (NONSENSE,),
    _ANSWER + "answer(b'', 0xffffffff)": (LONG,),
    _ANSWER + "answer(b'x', 99)": (SLOW,),
    _ANSWER + 'answer(b\'{"failure": 1, "resident_bytes": "x"}\')': (NONSENSE,),
    _ANSWER + 'answer(b\'{"failure": "x", "resident_bytes": Infinity}\')': (NONSENSE,),
    # These say what a document may say, and leave the next one a worker that is none any more.
    _ANSWER + f"answer({_SOUND!r})": (),
    _ANSWER + f"answer({_SOUND!r} + b'\\0\\0\\0\\x02[]', {len(_SOUND)})": (),
    _ANSWER + f"answer({_SOUND!r} + b'\\0\\0\\0\\x02{{}}', {len(_SOUND)})": (),
    **{
        _ANSWER + f"answer({(_PARSED % fields)!r}.encode())": (NONSENSE,)
        for fields in (
            ("1", "[]", "null", '"title": ""'),
            ('"x"', "[1]", "null", '"title": ""'),
            ('"x"', "[]", '"x"', '"title": ""'),
            ('"x"', "[]", "null", '"title": []'),
            ('"x"', "[]", "null", '"properties": []'),
            ('"x"', "[]", "null", '"properties": {"owner": {"a": 1}}'),
            ('"x"', "[]", "null", '"other": 1'),
            ('"\\ud800"', "[]", "null", '"title": ""'),
        )
    },
}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what is watched")


#: Programs about processes run without namespaces, which count processes, too.
_OF_PROCESSES = [source for source in PROGRAMS if "while" in source or "fork" in source or "close" in source]
#: Those of them in the short form: of signals, processes and pipes, and one that fills the disk. The others
#: are killed as these are.
_FEW = [source for source in _OF_PROCESSES if "signal" in source or source.startswith("while True: print")]
#: Only in the long form: they grow, crash, or answer nonsense as another one does.
_ALIKE = [
    "x = []\nwhile True: x = [x]",
    "raise KeyboardInterrupt",
    _ANSWER + "answer(b'[]')",
    _ANSWER + "answer(b'{}')",
    # What is wrong with one field of an answer is told by one function.
    *[source for source in list(PROGRAMS)[-8:] if '"page": null' in source][1:6],
]
_PARTS = [("namespaces", list(PROGRAMS)[part::3]) for part in range(3)]


@pytest.mark.parametrize(
    ("mode", "sources"), [*_PARTS, ("no namespaces", _OF_PROCESSES)], ids=("0", "1", "2", "without")
)
def test_a_document_that_is_a_program_harms_nobody(
    mode: str,
    sources: list[str],
    staged: Callable[[Parser], Stage],
    soak: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not soak:
        sources = _FEW if sources is _OF_PROCESSES else [s for s in sources if s not in _ALIKE]
    monkeypatch.setattr(children, "FOLDER_BYTES_MAX", 40 << 20)
    monkeypatch.setattr(children, "AGAIN_SECONDS_MAX", 3.0)
    with program_parser(mode, memory_bytes=512 << 20) as parser:
        stage = staged(parser)
        kb = stage.kb
        kb.source["limits"] = {"parse_timeout": "1s"}
        programs = {source: PROGRAMS[source] for source in sources}
        for number, source in enumerate(programs):
            kb.write(f"{number:02}/a.md", source)
            kb.write(f"{number:02}/b.md", f"text = 'Text after {number}.'")
        with without_privileges():
            assert stage.sync() < 50 << 20
        documents, texts = kb.documents(), kb.texts()
        for number, (source, reasons) in enumerate(programs.items()):
            found = documents[f"{number:02}/a.md"]
            seconds = stage.timed.seconds[found.document_id]
            print(f"{source[-60:]!r}: {found.state}, {seconds:.2f} s. {found.reason}")
            if found.state is State.INDEXED:
                assert not reasons or "" in reasons, source
            else:
                assert found.state is State.QUARANTINED, source
                expected = Hostile("", print, None, tuple(filter(None, reasons)))
                assert expected.understood(found.reason), (source, found.reason)
            assert found.reason.isprintable() and len(found.reason) <= 400
            assert in_time(seconds, 1), (source, seconds)
            assert texts[f"{number:02}/b.md"].strip() == f"Text after {number}."
        # Without namespaces, what a document forked lives as long as its worker, which may be there yet.
        most = 3 * parser.children_max if parser.isolated else 2 * parser.children_max + _FORKED
        assert len(processes(stage.temporary)) <= most
    # What has been killed is there until the kernel has come to it.
    until = time.monotonic() + 30
    while processes(stage.temporary) and time.monotonic() < until:
        time.sleep(0.05)
    assert processes(stage.temporary) == []
