"""Real servers on loopback, each with a folder of this machine: WebDAV (wsgidav), SFTP (asyncssh's and
OpenSSH's), FTP (pyftpdlib), SMB (Samba)."""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.memory import roomy_memory

USER = "anna"
PASSWORD = "quite-secret-8431"
#: Beside every folder, so that names in urls have to be escaped.
SHARED = "shared docs %41 ü"

Answer = tuple[str, list[tuple[str, str]], bytes]


class Site:
    """A server. Its documents are changed in `top`, the folder of this machine that it shows."""

    scheme = ""
    prefix = ""
    """What stands in urls before the folders of `top`."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.port = 0
        self.requests: list[str] = []
        """What was asked, as far as the server tells."""
        self.refused: set[Path] = set()
        """Files that may not be read, and folders that may not be listed."""

    def url(self, folder: Path) -> str:
        path = quote(folder.relative_to(self.top).as_posix())
        return f"{self.scheme}://127.0.0.1:{self.port}{self.prefix}/{path}"

    def settings(self) -> dict[str, Any]:
        return {"username": USER, "password": PASSWORD}

    def refuse(self, path: Path) -> None:
        self.refused.add(path)

    def reset(self) -> None:
        """As it was at first, its documents apart."""
        self.refused.clear()
        self.requests.clear()

    def close(self) -> None: ...


class WebdavSite(Site):
    """wsgidav behind cheroot. `answer` may answer a request in its place: (method, path) → status, headers,
    body."""

    scheme = "webdav"

    def __init__(self, top: Path) -> None:
        super().__init__(top)
        from cheroot import wsgi
        from wsgidav.wsgidav_app import WsgiDAVApp

        self.answer: Callable[[str, str], Answer | None] | None = None
        self.change: Callable[[str, str, list[tuple[str, str]], bytes], Answer] | None = None
        """Changes what the server answers: (method, path, headers, body)."""
        self._app = WsgiDAVApp(
            {
                "provider_mapping": {"/": {"root": str(top)}},
                "simple_dc": {"user_mapping": {"*": {USER: {"password": PASSWORD}}}},
                "http_authenticator": {
                    "accept_basic": True,
                    "accept_digest": False,
                    "default_to_digest": False,
                },
                "logging": {"enable": False},
                "dir_browser": {"enable": False},
                "property_manager": False,
                "lock_storage": False,
            }
        )
        logging.getLogger("wsgidav").setLevel(logging.CRITICAL)
        self._server = wsgi.Server(("127.0.0.1", 0), self._answered, numthreads=3)
        self._server.prepare()
        self.port = self._server.bind_addr[1]
        self._thread = threading.Thread(target=self._server.serve, daemon=True)
        self._thread.start()

    def _answered(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        method = environ["REQUEST_METHOD"]
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "surrogateescape")
        self.requests.append(f"{method} {path}")
        own = self.answer(method, path) if self.answer is not None else None
        reads = method == "GET" or environ.get("HTTP_DEPTH") == "1"
        if own is None and reads and Path(f"{self.top}{path.rstrip('/')}") in self.refused:
            own = "403 Forbidden", [], b""
        if own is not None:
            start(own[0], own[1])
            return [own[2]]
        if self.change is None:
            return self._app(environ, start)
        said: list[Any] = []
        found = self._app(environ, lambda *given: said.append(given))
        body = b"".join(found)
        if hasattr(found, "close"):
            found.close()
        status, headers, body = self.change(method, path, list(said[0][1]), body)
        start(status or said[0][0], headers)
        return [body]

    def reset(self) -> None:
        super().reset()
        self.answer = self.change = None

    def close(self) -> None:
        self._server.stop()
        self._thread.join()


class SftpSite(Site):
    """asyncssh's SFTP server, in a loop of its own."""

    scheme = "sftp"

    def __init__(self, top: Path, home: Path) -> None:
        super().__init__(top)
        import asyncssh

        site = self
        self.home = home
        self.dropping = 0
        """How many of the next questions lose the connection."""
        self.key = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")

        class Files(asyncssh.SFTPServer):
            def __init__(self, channel: Any) -> None:
                self._channel = channel
                super().__init__(channel, chroot=os.fsencode(top))

            def _asked(self, what: str, path: bytes) -> None:
                site.requests.append(f"{what} {os.fsdecode(path)}")
                if site.dropping:
                    site.dropping -= 1
                    self._channel.get_connection().abort()
                    raise asyncssh.SFTPConnectionLost("aborted")

            def lstat(self, path: bytes) -> Any:
                self._asked("lstat", path)
                return super().lstat(path)

            def stat(self, path: bytes) -> Any:
                self._asked("stat", path)
                return super().stat(path)

            async def scandir(self, path: bytes) -> Any:
                self._asked("scandir", path)
                if Path(os.fsdecode(self.map_path(path))) in site.refused:
                    raise asyncssh.SFTPPermissionDenied("no")
                async for name in super().scandir(path):
                    yield name

            def open(self, path: bytes, pflags: int, attrs: Any) -> Any:
                self._asked("open", path)
                if Path(os.fsdecode(self.map_path(path))) in site.refused:
                    raise asyncssh.SFTPPermissionDenied("no")
                return super().open(path, pflags, attrs)

        class Login(asyncssh.SSHServer):
            def begin_auth(self, username: str) -> bool:
                return True

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, password: str) -> bool:
                return (username, password) == (USER, PASSWORD)

            def public_key_auth_supported(self) -> bool:
                return True

            def validate_public_key(self, username: str, key: Any) -> bool:
                return username == USER and key == site.key.convert_to_public()

        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

        async def listen() -> Any:
            return await asyncssh.listen(
                "127.0.0.1",
                0,
                server_factory=Login,
                server_host_keys=[self.host_key],
                sftp_factory=Files,
                allow_scp=False,
            )

        self._server = asyncio.run_coroutine_threadsafe(listen(), self._loop).result(30)
        self.port = self._server.get_port()
        self.known_hosts = home / "known_hosts"
        self.known_hosts.write_text(
            f"[127.0.0.1]:{self.port} {self.host_key.export_public_key().decode().strip()}\n"
        )

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "known_hosts": str(self.known_hosts)}

    def reset(self) -> None:
        super().reset()
        self.dropping = 0

    def close(self) -> None:
        async def end() -> None:
            self._server.close()
            await self._server.wait_closed()
            others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class ProgramSite(Site):
    """A server that is a program. Permissions refuse: it serves as a user that is not root, who has to get
    through to the documents, and pytest's folders let nobody through."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="freshkb-site-", dir=roomy_memory()))
        self.home.chmod(0o755)
        super().__init__(self.home / "top")
        self.top.mkdir()
        self.user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._modes: dict[Path, int] = {}

    def refuse(self, path: Path) -> None:
        self._modes[path] = path.stat().st_mode
        path.chmod(0o000)

    def reset(self) -> None:
        super().reset()
        for path, mode in self._modes.items():
            with suppress(FileNotFoundError):
                path.chmod(mode)
        self._modes.clear()

    def _start(self, *command: str) -> None:
        with (self.home / "output").open("wb") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
            )
        for _ in range(200):
            if self._process.poll() is None:
                with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                    return
            time.sleep(0.05)
        said = (self.home / "output").read_text(errors="replace")
        self.close()
        raise RuntimeError(f"{command[0]} did not start: {said}")

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.home)


class OpensshSite(ProgramSite):
    """OpenSSH's server, with the SFTP server in it."""

    scheme = "sftp"
    program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")

    def __init__(self) -> None:
        super().__init__()
        import asyncssh

        assert self.program is not None
        home, self.prefix = self.home, str(self.top)
        key = asyncssh.generate_private_key("ssh-ed25519")
        host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.key_file, self.known_hosts = home / "key", home / "known_hosts"
        key.write_private_key(self.key_file)
        key.write_public_key(home / "authorized_keys")
        host_key.write_private_key(home / "host_key")
        (home / "host_key").chmod(0o600)
        self.known_hosts.write_text(
            f"[127.0.0.1]:{self.port} {host_key.export_public_key().decode().strip()}\n"
        )
        (home / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\nHostKey {home}/host_key\nPidFile {home}/pid\n"
            f"AuthorizedKeysFile {home}/authorized_keys\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nSubsystem sftp internal-sftp\nForceCommand internal-sftp\n"
        )
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self._start(self.program, "-D", "-e", "-f", str(home / "sshd_config"))

    def settings(self) -> dict[str, Any]:
        return {
            "username": self.user,
            "key_file": str(self.key_file),
            "known_hosts": str(self.known_hosts),
        }


class FtpSite(Site):
    """pyftpdlib; `facts` says whether it has MLSD."""

    scheme = "ftp"

    def __init__(self, top: Path, *, facts: bool = True) -> None:
        super().__init__(top)
        with warnings.catch_warnings():
            # With Python 3.11 it takes modules of the standard library that later ones do not have.
            warnings.simplefilter("ignore", DeprecationWarning)
            from pyftpdlib.authorizers import DummyAuthorizer
            from pyftpdlib.handlers import FTPHandler
            from pyftpdlib.ioloop import IOLoop
            from pyftpdlib.log import config_logging
            from pyftpdlib.servers import FTPServer

        site = self

        class Authorizer(DummyAuthorizer):  # type: ignore[misc]
            def has_perm(self, username: str, perm: str, path: str | None = None) -> bool:
                if path is not None and Path(path) in site.refused and perm in "elr":
                    return False
                return bool(super().has_perm(username, perm, path))

        authorizer = Authorizer()
        authorizer.add_user(USER, PASSWORD, str(top), perm="elr")

        class Handler(FTPHandler):  # type: ignore[misc]
            banner = "ready"
            auth_failed_timeout = 0

            def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
                site.requests.append(f"{cmd} {'' if cmd == 'PASS' else arg}".rstrip())
                super().pre_process_command(line, cmd, arg)

        Handler.authorizer = authorizer
        if not facts:
            Handler.proto_cmds = {
                name: about for name, about in FTPHandler.proto_cmds.items() if name not in ("MLSD", "MLST")
            }
        config_logging(level=logging.CRITICAL)
        # Its usual loop is one for the process.
        self._server = FTPServer(("127.0.0.1", 0), Handler, ioloop=IOLoop())
        self.port = self._server.address[1]
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ending.is_set():
            self._server.serve_forever(timeout=0.05, blocking=False, handle_exit=False)
        self._server.close_all()

    def close(self) -> None:
        self._ending.set()
        self._thread.join()


class VsftpdSite(ProgramSite):
    """vsftpd over TLS: without MLSD, it demands that data connections take up the control connection's
    session, and serves anybody."""

    scheme = "ftps"
    program = shutil.which("vsftpd") or shutil.which("vsftpd", path="/usr/sbin:/usr/local/sbin")

    def __init__(self) -> None:
        super().__init__()
        assert self.program is not None
        certificate, self.ca_file = _certificate(self.home)
        configuration = self.home / "vsftpd.conf"
        # Its home has to exist, and nobody's does not.
        user = "daemon" if os.getuid() == 0 else self.user
        (self.home / "empty").mkdir()
        configuration.write_text(
            f"listen=YES\nbackground=NO\nlisten_address=127.0.0.1\nlisten_port={self.port}\n"
            f"anonymous_enable=YES\nanon_root={self.top}\nno_anon_password=YES\nftp_username={user}\n"
            f"secure_chroot_dir={self.home}/empty\nseccomp_sandbox=NO\nxferlog_enable=NO\n"
            f"ssl_enable=YES\nallow_anon_ssl=YES\nforce_anon_logins_ssl=YES\nforce_anon_data_ssl=YES\n"
            f"rsa_cert_file={certificate}\nrequire_ssl_reuse=YES\nssl_ciphers=HIGH\n"
            f"run_as_launching_user={'NO' if os.getuid() == 0 else 'YES'}\n"
        )
        self._start(self.program, str(configuration))

    def settings(self) -> dict[str, Any]:
        return {"ca_file": str(self.ca_file)}


class SmbSite(ProgramSite):
    """Samba, with a configuration and a database of its own."""

    scheme = "smb"
    prefix = "/share"
    program = shutil.which("smbd") or shutil.which("smbd", path="/usr/sbin:/usr/local/sbin")
    smbpasswd = shutil.which("smbpasswd")

    def __init__(self) -> None:
        super().__init__()
        assert self.program is not None
        assert self.smbpasswd is not None
        home = self.home
        for name in ("private", "state", "cache", "lock", "pid", "ncalrpc"):
            (home / name).mkdir()
        configuration = home / "smb.conf"
        configuration.write_text(
            "[global]\nserver role = standalone server\nworkgroup = TEST\ninterfaces = lo\n"
            f"bind interfaces only = yes\nsmb ports = {self.port}\npasswd program = /bin/false\n"
            f"private dir = {home}/private\nstate directory = {home}/state\ncache directory = {home}/cache\n"
            f"lock directory = {home}/lock\npid directory = {home}/pid\nncalrpc dir = {home}/ncalrpc\n"
            f"log file = {home}/log\nload printers = no\nprinting = bsd\ndisable spoolss = yes\n"
            "server min protocol = SMB2\nkernel oplocks = no\nmap archive = no\ncase sensitive = yes\n"
            f"[share]\npath = {self.top}\nread only = yes\nhide unreadable = no\n"
        )
        subprocess.run(
            [self.smbpasswd, "-c", str(configuration), "-L", "-a", "-s", self.user],
            input=f"{PASSWORD}\n{PASSWORD}\n",
            text=True,
            check=True,
            capture_output=True,
        )
        self._start(self.program, "--foreground", "--no-process-group", "-s", str(configuration))

    def settings(self) -> dict[str, Any]:
        return {"username": self.user, "password": PASSWORD}


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A new certificate for 127.0.0.1 and its key in one file, and the certificate alone."""
    both, public = folder / "server.pem", folder / "ca.pem"
    key = folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes"),
            *("-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(public)),
        ],
        check=True,
        capture_output=True,
    )
    both.write_bytes(key.read_bytes() + public.read_bytes())
    return both, public


def closing(site: Site) -> Iterator[Any]:
    """For fixtures."""
    try:
        yield site
    finally:
        site.close()
