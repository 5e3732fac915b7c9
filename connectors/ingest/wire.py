"""HTTP as each service is asked: time-outs, retries with back-off and ``Retry-After``, limits.

The libraries take a session that is made for them. What they would retry themselves is switched off, so that
waiting has one bound.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import requests

from connectors.ingest.failures import NotAnAnswer

RETRIED = frozenset({429, 500, 502, 503, 504})
_BLOCK = 64 * 1024
#: A JSON answer is larger than the text in it.
_WRAPPING = 8


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds."""

    connect: float = 10.0
    read: float = 60.0
    attempts: int = 4
    longest: float = 60.0
    """A longer pause is not waited for."""
    sleep: Callable[[float], None] = time.sleep

    def pause(self, attempt: int, retry_after: str | None) -> float | None:
        """Seconds before another attempt after this one, counted from 1. None: there is none."""
        if attempt >= self.attempts:
            return None
        asked = _seconds(retry_after)
        pause = asked if asked is not None else 2.0 ** (attempt - 1) * random.uniform(0.5, 1.0)
        return pause if pause <= self.longest else None


def _seconds(retry_after: str | None) -> float | None:
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


class Oversize(Exception):
    """An answer is larger than a document may be."""


class Session(requests.Session):
    """`check` may refuse an answer by NotAnAnswer."""

    def __init__(self, patience: Patience, check: Callable[[requests.Response], None] | None = None) -> None:
        super().__init__()
        self.patience, self._check = patience, check
        self.max_size: int | None = None
        """Bytes that a document may have; set while one is fetched."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        streamed = options.pop("stream", False)
        options["timeout"] = (self.patience.connect, self.patience.read)
        attempt = 0
        while True:
            attempt += 1
            try:
                response = super().send(request, stream=True, **options)
                self._limit(response, streamed)
                if not streamed:
                    # Reads it whole: what breaks off is asked for again.
                    assert response.content is not None
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                pause = self.patience.pause(attempt, None)
                if pause is None:
                    raise
            else:
                retry = response.status_code in RETRIED
                pause = self.patience.pause(attempt, response.headers.get("Retry-After")) if retry else None
                if pause is None:
                    if self._check is not None and response.ok and not streamed:
                        self._check(response)
                    return response
                response.close()
            self.patience.sleep(pause)

    def _limit(self, response: requests.Response, streamed: bool) -> None:
        if self.max_size is None:
            return
        most = self.max_size if streamed else self.max_size * _WRAPPING + _BLOCK
        announced = response.headers.get("Content-Length", "")
        if announced.isdigit() and int(announced) > most:
            response.close()
            raise Oversize
        read = response.iter_content

        def counted(*args: Any, **options: Any) -> Iterator[Any]:
            size = 0
            for block in read(*args, **options):
                size += len(block)
                if size > most:
                    response.close()
                    raise Oversize
                yield block

        vars(response)["iter_content"] = counted


def json_only(response: requests.Response) -> Any:
    """The JSON of an answer. Raises NotAnAnswer: several libraries take another answer for an empty one."""
    try:
        return response.json()
    except ValueError:
        raise NotAnAnswer("it answered with something that is not JSON, such as a log-in page") from None


class Client(httpx.Client):
    def __init__(self, patience: Patience, **options: Any) -> None:
        super().__init__(**options)
        self.patience = patience
        self.answered_at: datetime | None = None
        """The server's clock at its last answer."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        request.extensions["timeout"] = _timeout(self.patience).as_dict()
        attempt = 0
        while True:
            attempt += 1
            try:
                response = super().send(request, **options)
            except httpx.TransportError:
                pause = self.patience.pause(attempt, None)
                if pause is None:
                    raise
            else:
                retry = response.status_code in RETRIED
                pause = self.patience.pause(attempt, response.headers.get("Retry-After")) if retry else None
                if pause is None:
                    self.answered_at = _date(response)
                    return response
            self.patience.sleep(pause)


class AsyncClient(httpx.AsyncClient):
    def __init__(self, patience: Patience, **options: Any) -> None:
        super().__init__(**options)
        self.patience = patience

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        request.extensions["timeout"] = _timeout(self.patience).as_dict()
        attempt = 0
        while True:
            attempt += 1
            try:
                response = await super().send(request, **options)
            except httpx.TransportError:
                pause = self.patience.pause(attempt, None)
                if pause is None:
                    raise
            else:
                retry = response.status_code in RETRIED
                pause = self.patience.pause(attempt, response.headers.get("Retry-After")) if retry else None
                if pause is None:
                    return response
            await asyncio.to_thread(self.patience.sleep, pause)


def _timeout(patience: Patience) -> httpx.Timeout:
    return httpx.Timeout(patience.read, connect=patience.connect)


def _date(response: httpx.Response) -> datetime | None:
    try:
        return parsedate_to_datetime(response.headers["Date"])
    except (KeyError, ValueError):
        return None
