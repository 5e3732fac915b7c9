"""The ways to a person: mail by SMTP, and Apprise urls.

A channel raises `NotSent` when the digest was surely not accepted, and `Unsure` when nobody can tell. Their
messages are for the console: they may name what a server said, and no secret.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from email.utils import parseaddr
from typing import Protocol
from urllib.parse import unquote, urlsplit

from index.notify import render
from index.notify.digest import Digest
from index.notify.message import message
from index.redact import redact

#: Seconds that a server may take to answer.
TIMEOUT_SECONDS = 30.0

_PORTS = {"smtp": 25, "smtps": 465, "smtp+starttls": 587}


class NotSent(Exception):
    """The digest was surely not accepted."""

    def __init__(self, said: str) -> None:
        super().__init__(redact(said))


class Unsure(Exception):
    """The digest may have been accepted."""


class Channel(Protocol):
    name: str
    """mail or apprise."""
    key: str
    """Tells it from the other channels of a person, without a secret."""

    def ready(self) -> None:
        """Make sure that it can be used, before anything is on record. Raises NotSent."""

    def send(self, digest: Digest, at: datetime, identity: str) -> None:
        """Raises NotSent, Unsure."""

    def written(self, digest: Digest, at: datetime, identity: str) -> tuple[str, bytes]:
        """(suffix, content) of the file that a dry run writes. Raises NotSent."""


class Mail:
    """Digests by one mail server, over a connection that is kept."""

    name = "mail"
    key = "mail"

    def __init__(self, url: str, sender: str) -> None:
        self._url = urlsplit(url)
        self._sender = sender
        self._server: smtplib.SMTP | None = None

    def ready(self) -> None:
        if self._server is not None:
            with suppress(smtplib.SMTPException, OSError):
                if self._server.noop()[0] == 250:
                    return
            self.close()
        host, port = self._url.hostname or "", self._url.port or _PORTS[self._url.scheme]
        try:
            self._server = self._connected(host, port)
        except smtplib.SMTPAuthenticationError as error:
            raise NotSent(f"The mail server {host}:{port} refuses the login ({error.smtp_code}).") from None
        except UnicodeError:
            raise NotSent(
                f"The mail server {host}:{port} cannot be used: its user and password should be ASCII."
            ) from None
        except (smtplib.SMTPException, OSError) as error:
            said = getattr(error, "strerror", None) or _said(error)
            raise NotSent(f"The mail server {host}:{port} cannot be used: {said}.") from None

    def _connected(self, host: str, port: int) -> smtplib.SMTP:
        secure = ssl.create_default_context()
        server: smtplib.SMTP
        if self._url.scheme == "smtps":
            server = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=secure)
        else:
            server = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
        try:
            if self._url.scheme == "smtp+starttls":
                server.starttls(context=secure)
            if self._url.username:
                server.login(unquote(self._url.username), unquote(self._url.password or ""))
            server.ehlo_or_helo_if_needed()
        except BaseException:
            server.close()
            raise
        return server

    def send(self, digest: Digest, at: datetime, identity: str) -> None:
        server = self._server
        assert server is not None
        _, content = self.written(digest, at, identity)
        try:
            for code, said in (
                server.mail(parseaddr(self._sender)[1]),
                server.rcpt(digest.person.email),
            ):
                if code not in (250, 251):
                    server.rset()
                    raise NotSent(f"The mail server refuses it: {code} {said.decode(errors='replace')}")
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise NotSent(f"The mail server ended the talk: {_said(error)}.") from None
        try:
            code, said = server.data(content)
        except smtplib.SMTPDataError as error:
            # It did not let the text begin.
            self.close()
            raise NotSent(f"The mail server refuses it: {error.smtp_code} {_said(error)}") from None
        except (smtplib.SMTPException, OSError) as error:
            self.close()
            raise Unsure(f"The mail server ended the talk while it had the mail: {_said(error)}.") from None
        if code != 250:
            with suppress(smtplib.SMTPException, OSError):
                server.rset()
            raise NotSent(f"The mail server refuses it: {code} {said.decode(errors='replace')}")

    def written(self, digest: Digest, at: datetime, identity: str) -> tuple[str, bytes]:
        with _writing():
            return ".eml", message(digest, self._sender, at, identity).as_bytes()

    def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
            server.close()


class Apprise:
    """Digests as short texts to one Apprise url."""

    name = "apprise"

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self.key = f"apprise {key}"

    def ready(self) -> None:
        """An url is looked at when it is used."""

    def send(self, digest: Digest, at: datetime, identity: str) -> None:
        with _silent():
            # The import takes 200 ms, and few have such a url.
            import apprise

            service = apprise.Apprise()
            if not service.add(self._url):
                raise NotSent("It is no url that Apprise knows: see notify.owners.")
            with _writing():
                body, title = render.text(digest), render.subject(digest)
            try:
                told = service.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT)
            except Exception as error:
                raise Unsure(f"Apprise failed: {type(error).__name__}.") from None
        if not told:
            raise NotSent("Apprise could not deliver it.")

    def written(self, digest: Digest, at: datetime, identity: str) -> tuple[str, bytes]:
        with _writing():
            said = f"{render.subject(digest)}\n\n{render.text(digest)}"
            return ".txt", said.encode("utf-8", "replace")


@contextmanager
def _writing() -> Iterator[None]:
    """Words of documents are in a digest, and what they do to one keeps nobody else from theirs."""
    try:
        yield
    except Exception as error:
        raise NotSent(f"The digest cannot be written: {_said(error)}.") from None


@contextmanager
def _silent() -> Iterator[None]:
    """Apprise logs urls and what services answer."""
    logger = logging.getLogger("apprise")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _said(error: Exception) -> str:
    """What a server said, on one line."""
    said = getattr(error, "smtp_error", None)
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said or error)
    return redact(" ".join(text.split()).rstrip(".")) or type(error).__name__
