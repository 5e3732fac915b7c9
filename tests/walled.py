"""A knowledge base one of whose documents has taken its parser over, and tries to get out.

Run as a process, it syncs that document and prints as JSON what became of the walls, and which attempts
succeeded: ``python -m tests.walled FOLDER [MODES …]``. Each of MODES has its own knowledge base in a folder
of FOLDER, and names what is missing: ``no namespaces``, ``no landlock``, ``closed``, with commas between.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.knowledge import Knowledge
from tests.programs import program_parser

#: Each attempt is a line that raises nothing where it succeeds. The values it needs are in scope.
ATTEMPTS = {
    "read a file outside": "open(canary).read()",
    "read the ledger": "open(ledger, 'rb').read()",
    "read another document": "open(other).read()",
    "read scratch": "assert glob.glob(scratch + '/**', recursive=True)[1:]; os.listdir(scratch)",
    "read the accounts": "open('/etc/shadow').read()",
    "list the documents": "os.listdir(os.path.dirname(document))",
    "list the source": "os.listdir(os.path.dirname(other))",
    "read the parent's environment": "open(f'/proc/{parent}/environ').read()",
    "read the guard's environment": "open(f'/proc/{os.getppid()}/environ').read()",
    "read the parent's memory": "open(f'/proc/{parent}/mem', 'rb')",
    "trace the parent": "call('ptrace', 16, parent, 0, 0)",
    "signal the parent": "os.kill(parent, 0)",
    "write the state folder": "open(os.path.dirname(ledger) + '/new', 'w')",
    "write the ledger": "open(ledger, 'r+b')",
    "write the source": "open(os.path.dirname(other) + '/new', 'w')",
    "write beside its home": "open(os.path.dirname(os.environ['HOME']) + '/new', 'w')",
    "write its document": "open(document, 'w')",
    "replace its document": "os.unlink(document)",
    "write /tmp": "open('/tmp/' + name, 'w')",
    "write the library": "open(os.path.dirname(os.__file__) + '/new.py', 'w')",
    "write the packages": "open(os.path.dirname(index.__file__) + '/new.py', 'w')",
    "remove a file outside": "os.unlink(canary)",
    "open a file outside to all": "os.chmod(canary, 0o777)",
    "date a file outside": "os.utime(canary, (1, 1))",
    "open the ledger to all": "os.chmod(ledger, 0o777)",
    "connect by TCP": "socket.create_connection(('127.0.0.1', port), 2)",
    "send by UDP": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', port))",
    "connect to a socket's path": "socket.socket(socket.AF_UNIX).connect(socket_path)",
    "connect to an abstract socket": "socket.socket(socket.AF_UNIX).connect(abstract)",
    "be root": "os.setresuid(0, 0, 0) if os.getuid() else 1 / 0",
    "give its home away": "os.chown(os.environ['HOME'], 1, 1)",
    "mount": "call('mount', b'tmpfs', os.fsencode(os.environ['HOME']), b'tmpfs', 0, 0)",
    "have capabilities": "assert any(capabilities())",
    # The last one, since it would give what the others try to have.
    "have a user namespace": "call('unshare', 0x10000000)",
}

PROGRAM = """
import ctypes, glob, json, os, socket, index
locals().update(json.loads({known!r}))
abstract = "\\0" + name
libc = ctypes.CDLL(None, use_errno=True)

def call(function, *arguments):
    if getattr(libc, function)(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)) < 0:
        raise OSError(ctypes.get_errno(), function)

def capabilities():
    sets = (ctypes.c_uint32 * 6)()
    call("capget", (ctypes.c_uint32 * 2)(0x20080522, 0), sets)
    return sets

done, said = [], {{}}
for attempt, line in json.loads({attempts!r}).items():
    try:
        exec(line, {{**globals(), **locals()}})
        done.append(attempt)
    except Exception as error:
        said[attempt] = repr(error)
text = json.dumps({{"user": os.getuid(), "groups": os.getgroups(), "done": done, "said": said}})
"""


def main() -> None:
    print(
        json.dumps(
            {
                modes: told(Path(sys.argv[1]) / (modes or "all walls"), modes.split(","))
                for modes in sys.argv[2:]
            }
        )
    )


def told(home: Path, modes: list[str]) -> dict[str, Any]:
    os.umask(0o022)
    home.mkdir()
    tempfile.tempdir = str(home / "temporary")
    Path(tempfile.tempdir).mkdir(0o700 if "closed" in modes else 0o755)
    canary = home / "canary"
    canary.write_text("secret")
    path, name = home / "socket", f"freshkb-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
        program_parser(*modes) as parser,
    ):
        unix.bind(str(path))
        # Every user may connect.
        path.chmod(0o777)
        abstract.bind(f"\0{name}")
        for server in (unix, abstract):
            server.listen()
        # As in a command, whose state folder is its owner's alone.
        os.umask(0o077)
        kb = Knowledge(home / "kb", parser)
        known = {
            "parent": os.getpid(),
            "canary": str(canary),
            "ledger": str(kb.home / ".freshkb" / "ledger.db"),
            "scratch": str(kb.home / ".freshkb" / "scratch"),
            "other": str(kb.docs / "other.md"),
            "port": tcp.getsockname()[1],
            "socket_path": str(path),
            "name": name,
        }
        kb.write("other.md", "text = 'Text.'")
        kb.sync()
        assert Path(known["ledger"]).exists()
        program = PROGRAM.format(known=json.dumps(known), attempts=json.dumps(ATTEMPTS))
        kb.write("program.md", program)
        kb.sync()
        document = kb.documents()["program.md"]
        assert not document.reason, document.reason
        text = json.loads(kb.texts()["program.md"])
        walls = {wall.name: wall.detail if wall.built else None for wall in parser.walls()}
    Path("/tmp", name).unlink(missing_ok=True)
    assert list(Path(tempfile.tempdir).iterdir()) == []
    return {**text, "walls": walls}


if __name__ == "__main__":
    main()
