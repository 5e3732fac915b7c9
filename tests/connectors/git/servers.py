"""Real servers of git repositories on loopback: git's own for http, and OpenSSH's."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class HttpServer:
    """``git http-backend`` behind a server, with the objects of Git LFS beside it. Its attributes say what it
    does wrong."""

    root: Path
    requests: list[str] = field(default_factory=list)
    """Method, path and, of a request for objects, how many were named."""
    token: str | None = None
    """Basic authentication with this password is asked for."""
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """(status, headers) of answers to the next requests."""
    truncated: int = 0
    """So many answers to requests for objects are cut in half."""
    silent: bool = False
    """Requests are taken, and nothing is answered."""
    before: Callable[[str], None] = lambda path: None
    """Called with the path before each answer."""
    objects: dict[str, bytes] = field(default_factory=dict)
    """Those of Git LFS, by sha256."""

    def __post_init__(self) -> None:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            do_POST = do_GET

            def log_message(self, *arguments: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.closed = threading.Event()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if request.headers.get("Transfer-Encoding") == "chunked":
            body = _dechunked(request)
        if request.headers.get("Content-Encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        wants = len(re.findall(rb"want [0-9a-f]{40}", body))
        self.requests.append(f"{request.command} {parts.path}{f' {wants}' if wants else ''}")
        self.before(parts.path)
        if self.silent:
            self.closed.wait(30)
            request.close_connection = True
            return
        if self.refusals:
            status, headers = self.refusals.pop(0)
            self._send(request, status, headers, b"")
        elif self.token is not None and not self._allowed(request):
            self._send(request, 401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
        elif "/info/lfs/" in parts.path or "/lfs-object/" in parts.path:
            self._lfs(request, parts.path, body)
        else:
            self._backend(request, parts.path, parts.query, body, wants)

    def _allowed(self, request: BaseHTTPRequestHandler) -> bool:
        said = request.headers.get("Authorization", "").removeprefix("Basic ")
        return base64.b64decode(said).decode().partition(":")[2] == self.token

    def _backend(
        self, request: BaseHTTPRequestHandler, path: str, query: str, body: bytes, wants: int
    ) -> None:
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            env={
                "PATH": os.environ["PATH"],
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": request.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
                "REMOTE_ADDR": "127.0.0.1",
            },
        )
        if not done.stdout:
            self._send(request, 500, {}, b"")
            return
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        if wants and self.truncated:
            self.truncated -= 1
            headers["Content-Length"] = str(len(content))
            content = content[: len(content) // 2]
            request.close_connection = True
        self._send(request, status, headers, content)

    def _lfs(self, request: BaseHTTPRequestHandler, path: str, body: bytes) -> None:
        if path.endswith("/objects/batch"):
            answers = []
            for asked in json.loads(body)["objects"]:
                answer = {"oid": asked["oid"], "size": asked["size"]}
                if asked["oid"] in self.objects:
                    href = f"{self.url}/lfs-object/{asked['oid']}"
                    answer["actions"] = {"download": {"href": href}}
                else:
                    answer["error"] = {"code": 404, "message": "Object does not exist"}
                answers.append(answer)
            said = json.dumps({"transfer": "basic", "objects": answers}).encode()
            self._send(request, 200, {"Content-Type": "application/vnd.git-lfs+json"}, said)
        else:
            content = self.objects.get(path.rpartition("/")[2])
            self._send(request, 404 if content is None else 200, {}, content or b"")

    def _send(
        self, request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], content: bytes
    ) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    def keep(self, content: bytes) -> bytes:
        """The pointer of a document that LFS keeps here from now on."""
        self.objects[sha256(content).hexdigest()] = content
        return pointer(content)


def pointer(content: bytes) -> bytes:
    oid = sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n".encode()


def _dechunked(request: BaseHTTPRequestHandler) -> bytes:
    body = b""
    while size := int(request.rfile.readline().split(b";")[0], 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body


SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


class SshServer:
    """OpenSSH's server with keys and a configuration of its own; it runs git's own commands."""

    def __init__(self, home: Path) -> None:
        assert SSHD is not None
        home.mkdir(mode=0o700)
        self.key, self.other_key, host = home / "key", home / "other", home / "host"
        for path in (self.key, self.other_key, host):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
        self.allowed = home / "authorized_keys"
        self.allowed.write_text(self.key.with_suffix(".pub").read_text())
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        config = home / "sshd_config"
        config.write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {host}\nAuthorizedKeysFile {self.allowed}\n"
            f"PidFile {home / 'pid'}\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            "UsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\nAcceptEnv GIT_PROTOCOL\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.known_hosts = home / "known_hosts"
        kind, public = host.with_suffix(".pub").read_text().split()[:2]
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {public}\n")
        self.url = f"ssh://127.0.0.1:{self.port}"
        self._await()

    def _await(self) -> None:
        for _ in range(500):
            assert self._process.poll() is None, "sshd ended at once"
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.01)
        raise TimeoutError("sshd does not listen")

    def command(self) -> str:
        """The GIT_SSH_COMMAND by which this server's key is known, and no file of the user's counts."""
        return f"ssh -F /dev/null -oUserKnownHostsFile={self.known_hosts} -oIdentityAgent=none"

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
