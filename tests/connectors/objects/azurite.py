"""Azurite, Microsoft's emulator of Blob Storage: found, installed or named as missing; started and asked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import parse_qsl, quote

import pytest

VERSION = "3.37.0"
HOME = Path(__file__).resolve().parents[3] / ".venv" / "azurite"
#: Known to everybody, and good for emulators alone.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def program() -> str:
    """The path of ``azurite-blob``; the test is skipped without it."""
    local = HOME / "node_modules" / ".bin" / "azurite-blob"
    if not local.exists() and os.environ.get("CI") and (npm := shutil.which("npm")):
        install = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(HOME), f"azurite@{VERSION}"]
        subprocess.run(install, capture_output=True, timeout=240, check=False)
    found = str(local) if local.exists() else shutil.which("azurite-blob")
    if found is None:
        pytest.skip(f"azurite is missing: npm install --prefix {HOME} azurite@{VERSION}")
    return found


@contextmanager
def azurite(folder: Path) -> Iterator[int]:
    """Its port, while it runs."""
    options = ["--inMemoryPersistence", "--blobPort", "0", "--blobHost", "127.0.0.1", "--disableTelemetry"]
    command = [program(), *options, "--skipApiVersionCheck"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        try:
            assert server.stdout is not None
            said = b""
            for line in server.stdout:
                said += line
                if found := re.search(rb"listens on http://127\.0\.0\.1:(\d+)", line):
                    yield int(found[1])
                    break
            else:
                raise RuntimeError(f"azurite did not start: {said.decode()}")
        finally:
            server.terminate()


def authorization(method: str, target: str, headers: Mapping[str, str], length: int = 0) -> str:
    """The header that a shared key makes for this request; `target` is the path, escaped, and the query."""
    path, _, query = target.partition("?")
    own = {name.lower(): value for name, value in headers.items() if name.lower().startswith("x-ms-")}
    told = "".join(f"{name}:{own[name]}\n" for name in sorted(own))
    asked = "".join(sorted(f"\n{name.lower()}:{value}" for name, value in parse_qsl(query, True)))
    date = "" if "x-ms-date" in own else {name.lower(): headers[name] for name in headers}["date"]
    # The empty lines are of headers that no request of ours has.
    signed = f"{method}\n\n\n{length or ''}\n\n\n{date}\n\n\n\n\n\n{told}/{ACCOUNT}{path}{asked}"
    signature = hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()
    return f"SharedKey {ACCOUNT}:{base64.b64encode(signature).decode()}"


def ask(port: int, method: str, name: str, query: str = "", body: bytes = b"", **more: str) -> int:
    """The status of a request with a shared key, for what obstore does not do; `name` is a path below the
    account, `more` are headers that begin with ``x-ms-``."""
    told = {f"x-ms-{name.replace('_', '-')}": value for name, value in more.items()}
    headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2021-12-02", **told}
    if method == "PUT" and not query:
        headers["x-ms-blob-type"] = "BlockBlob"
    target = f"/{ACCOUNT}/{quote(name)}" + (f"?{query}" if query else "")
    headers["Authorization"] = authorization(method, target, headers, len(body))
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, target, body, headers)
        with connection.getresponse() as response:
            response.read()
            return response.status
    finally:
        connection.close()
