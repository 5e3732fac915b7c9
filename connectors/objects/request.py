"""One signed request for a page: sent again after pauses, answered whole or not at all.

obstore has no way to ask for a page as it is. The standard library has; requests are few:
one a thousand keys.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPMessage
from typing import IO, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from connectors.objects.failures import Refusal, refusal_in

#: Bytes of one page; a thousand keys of the longest kind are two million.
MAX_PAGE = 16_000_000
#: Longest pause before a request is sent again, also where the service asks for a longer one.
MAX_PAUSE_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.2


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class _NoRedirect(HTTPRedirectHandler):
    """A signature is good for one address: where the bucket is instead, the answer says."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


class Requests:
    """Sends requests of one source."""

    def __init__(
        self, timeout: int, retries: int, certificates: ssl.SSLContext | None, pause: Callable[[float], None]
    ) -> None:
        """`timeout` in seconds of silence; `pause` waits for that many seconds."""
        self._opener = build_opener(_NoRedirect, HTTPSHandler(context=certificates))
        self._timeout, self._retries, self._pause = timeout, retries, pause

    def get(self, signed: Callable[[], str], headers: Mapping[str, str]) -> bytes:
        """The body of a 200. `signed` gives the url, anew for each attempt. Raises Refusal."""
        for attempt in range(self._retries + 1):
            try:
                answer = self._once(signed(), headers)
            except Refusal as refusal:
                if refusal.why == "credentials":
                    # Looked for with pauses of their own.
                    raise
                failed, after = refusal, None
            else:
                if answer.status == 200 and not _failed_inside(answer.body):
                    return answer.body
                failed, after = _refused(answer), answer.headers.get("retry-after")
                if not (answer.status in (200, 408, 429) or answer.status >= 500):
                    raise failed
            if attempt < self._retries:
                self._pause(_pause_seconds(after, attempt))
        raise failed

    def _once(self, url: str, headers: Mapping[str, str]) -> Answer:
        request = Request(url, headers={"User-Agent": "freshkb", **headers})
        try:
            try:
                with self._opener.open(request, timeout=self._timeout) as answer:
                    return _whole(answer.status, answer.headers, answer)
            except HTTPError as error:
                with error:
                    return _whole(error.code, error.headers, error)
        except TimeoutError:
            raise Refusal(None, why="time-out") from None
        except URLError as error:
            why = "time-out" if isinstance(error.reason, TimeoutError) else "connection"
            if isinstance(error.reason, ssl.SSLError):
                why = f"its certificate is not trusted ({error.reason.reason}); the key ca names one to trust"
            raise Refusal(None, why=why) from None
        except (OSError, HTTPException):
            raise Refusal(None, why="connection") from None


def _whole(status: int, headers: Message, body: IO[bytes]) -> Answer:
    """Raises HTTPException when fewer bytes came than were announced."""
    data = body.read(MAX_PAGE + 1)
    if len(data) > MAX_PAGE:
        raise Refusal(None, why=f"a page has more than {MAX_PAGE:,} bytes")
    announced = headers.get("Content-Length", "")
    # A read of a limited size does not notice a body that ends early.
    if announced.isdecimal() and len(data) < int(announced):
        raise HTTPException("the body ended early")
    return Answer(status, {name.lower(): value for name, value in headers.items()}, data)


def _failed_inside(body: bytes) -> bool:
    """Whether a 200 holds an error, as S3 sends when it has begun to answer."""
    head = body[:1000]
    return b"<Error>" in head and b"<Code>" in head


def _refused(answer: Answer) -> Refusal:
    skew = 0
    try:
        theirs = parsedate_to_datetime(answer.headers.get("date", ""))
        skew = round((theirs - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        pass
    return refusal_in(answer.status, answer.headers, answer.body[:10_000].decode("utf-8", "replace"), skew)


def _pause_seconds(after: str | None, attempt: int) -> float:
    """Seconds until the next attempt: as the service asks (``Retry-After``), else longer each time."""
    usual: float = FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5)
    if after is not None:
        try:
            asked = float(after)
        except ValueError:
            try:
                asked = parsedate_to_datetime(after).timestamp() - time.time()
            except (TypeError, ValueError):
                asked = 0.0
        usual = max(usual, asked)
    return min(usual, MAX_PAUSE_SECONDS)
