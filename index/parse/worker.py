"""The parsing child: reads requests from a pipe, answers with elements as JSON.

A message is four bytes of length, big-endian, and that much JSON. To a request come two answers: ``loaded``
when the reader of the format is imported, from where on the document's time counts, and then ``parsed`` or
``failure``; or ``broken`` when this installation cannot read the format at all. Requests may wait in the
pipe: each is answered in its turn.

A request may ask for a mail's attachments instead (``enclosed``), or for the bytes of one (``content``),
which follow an answer that says how many they are.
"""

from __future__ import annotations

import errno
import gc
import importlib
import json
import mimetypes
import os
import re
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import Any

from index.model import ELEMENTS_MAX, Element, Parsed
from index.parse import formats, nlp, sandbox
from index.parse.outline import Unreadable, squeeze

Answer = dict[str, Any]
#: Of an answer, the bytes that follow it.
_BYTES = "bytes"

#: Errors of the machine's present state, and not of the document. A file that grew too large is not among
#: them: the same limit will stop it next time.
NOT_ITS_FAULT = frozenset({
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENFILE,
})  # fmt: skip

#: Messages of libxml2 and expat on multiplying entities, and of libxml2 on depth.
_ENTITIES = re.compile(r"amplification factor|entity (?:reference )?loop")
_DEPTH = re.compile(r"Excessive depth")


def main() -> None:
    # Readers' libraries and a document's parts are no garbage: looking for it takes a tenth of their time.
    gc.set_threshold(50_000, 20, 20)
    settings = json.loads(sys.argv[-1])
    walls = sandbox.enter(settings["memory_bytes"], Path(settings["folder"]))
    # Libraries ask for the types of files: this machine's tables of them lie outside of the walls.
    mimetypes.knownfiles.clear()
    nlp.keep_torch_out()
    requests, answers = _take_pipes()
    worker = _Worker(settings)
    _send(answers, {"ready": True, "walls": [asdict(wall) for wall in walls]}, settings["output_bytes_max"])
    while header := requests.read(4):
        request = json.loads(requests.read(int.from_bytes(header, "big")))
        for step in (worker.load, worker.parse):
            answer = step(request)
            if answer is not None:
                _send(answers, answer, settings["output_bytes_max"])
            if answer is None or "broken" in answer:
                break


class _Worker:
    def __init__(self, settings: dict[str, Any]) -> None:
        self.private = Path(os.environ["TMPDIR"])
        self.timeout_seconds: float = settings["timeout_seconds"]
        self.memory_bytes: int = settings["memory_bytes"]
        self._modules = 0
        """Modules when they were last looked at."""

    def load(self, request: Answer) -> Answer:
        """Import what the request needs; everything, when it names no document."""
        try:
            if "format" in request:
                _reader(request["format"])
            else:
                load_everything()
        except Exception as error:
            traceback.print_exc()
            return {"broken": f"{type(error).__name__}: {error}"}
        answer: Answer = {"loaded": True}
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            # Not for every document: it takes several milliseconds.
            answer["uncompiled"] = _uncompiled()
        return answer

    def parse(self, request: Answer) -> Answer | None:
        if "format" not in request:
            return None
        sandbox.allow_cpu(self.timeout_seconds + 60)
        path = request["path"]
        try:
            answer = self._answered(Path(path), request)
        except MemoryError:
            answer = {
                "failure": f"The document needed more than {_size(self.memory_bytes)} of memory.",
                "worn": 1,
            }
        except Exception as error:
            answer = {
                # The path of the copy means nothing to a reader.
                "failure": _reason(error).replace(path, "the document"),
                "transient": isinstance(error, OSError) and error.errno in NOT_ITS_FAULT,
            }
        sandbox.kill_leftovers()
        self._empty_private()
        return {**answer, "resident_bytes": sandbox.resident_bytes()}

    def _answered(self, path: Path, request: Answer) -> Answer:
        reader, format = _reader(request["format"])
        if request.get("asked") == "enclosed":
            return {"enclosed": asdict(reader.enclosed(path, format))}
        if request.get("asked") == "content":
            data = reader.content(path, format, request["number"])
            return {"content": len(data), _BYTES: data}
        parsed = reader.parse(path, format)
        if len(parsed.elements) > ELEMENTS_MAX:
            raise Unreadable(f"The document has more than {ELEMENTS_MAX:,} parts.")
        return {"parsed": {**_fields(parsed), "content_type": format.content_type}}

    def _empty_private(self) -> None:
        # Warnings of libraries would add up.
        if os.fstat(2).st_size:
            os.ftruncate(2, 0)
        os.chdir(self.private)
        for entry in self.private.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                sandbox.discard(entry)
            else:
                entry.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    """Why the document cannot be read, for people."""
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    # Readers of containers bury the XML parser's message, which is for programmers.
    message = " ".join(map(str, chain))
    if _ENTITIES.search(message):
        return "The document defines entities that would make it enormous."
    if isinstance(error, RecursionError) or _DEPTH.search(message):
        return "The document nests its parts too deeply."
    if isinstance(error, Unreadable):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"The document could not be read: {error.strerror}."
    traceback.print_exception(error)
    said = squeeze(str(error))[:200] or "its parts do not fit"
    return f"The document is damaged: {said} ({type(error).__name__})."


def _reader(name: str) -> tuple[Any, formats.Format]:
    format = formats.BY_NAME[name]
    return importlib.import_module(f"index.parse.readers.{format.module}"), format


def _uncompiled() -> int:
    """Modules without bytecode that this process can read: Python compiles them each time, because a worker
    cannot write beside them."""
    specs = [getattr(module, "__spec__", None) for module in list(sys.modules.values())]
    return sum(1 for spec in specs if spec and spec.cached and not os.access(spec.cached, os.R_OK))


def load_everything() -> None:
    """Import all that any format needs; outside of the walls, this compiles it for good."""
    nlp.keep_torch_out()
    for module in formats.MODULES:
        importlib.import_module(f"index.parse.readers.{module}")
    from unstructured.partition.text_type import is_possible_narrative_text

    # The pipeline is built at its first use.
    is_possible_narrative_text("This sentence loads what the classifier needs.")


def _take_pipes() -> tuple[Any, Any]:
    """The pipes to the parent, moved to where no library's print and no helper program reaches them."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return requests, answers


def _send(answers: Any, answer: Answer, size_max: int) -> None:
    follow = answer.pop(_BYTES, b"")
    try:
        data = _encoded(answer)
    except MemoryError:
        data = _encoded({"failure": "The document's text needed more memory than the limit.", "worn": True})
    except (ValueError, RecursionError) as error:
        data = _encoded({"failure": f"The document holds a value that cannot be recorded ({error})."})
    if len(data) > size_max:
        data = _encoded({"failure": f"The document holds more than {_size(size_max)} of text."})
    answers.write(len(data).to_bytes(4, "big") + data)
    answers.write(follow)
    answers.flush()


def _encoded(answer: Answer) -> bytes:
    return _JSON.encode(answer).encode("utf-8", "replace")


def _fields(value: Any) -> Answer:
    """The fields of a parsed document, or of one of its elements, which JSON then asks for."""
    if not isinstance(value, Parsed | Element):
        raise TypeError(f"{type(value).__name__} is no part of an answer.")
    return {name: getattr(value, name) for name in value.__slots__}


_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_fields)


def _size(number: int) -> str:
    return f"{number >> 30} GiB" if number >= 1 << 30 else f"{number >> 20} MiB"
