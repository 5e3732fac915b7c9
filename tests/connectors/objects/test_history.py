"""Random histories of a bucket against a dictionary: each listing is what the dictionary is, or says that it
is incomplete."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable

import pytest

from connectors.base import Entry, SourceUnavailable
from tests.connectors.objects.buckets import Bucket, S3Bucket
from tests.connectors.objects.relay import Asked, Relay, Reply, refusal

NAMES = ["a.md", "b c.md", "d/e.md", "d/f/g.md", "d-1.md", "h%20i.md", "é.md", "日本/x.txt", "z+&.md"]
PORTAL = Reply(200, b"<html><body>Welcome</body></html>", {"Content-Type": "text/html"})

#: One page less and no token for it.
CUT = {b"<IsTruncated>true</IsTruncated>": b"<IsTruncated>false</IsTruncated>"}


class Faults:
    """At most one is on; `hits` counts the answers that it altered."""

    def __init__(self, relay: Relay) -> None:
        self.hits = 0
        self.name: str | None = None
        self._answers: dict[str, Callable[[Asked], Reply | None]] = {
            "portal": lambda asked: PORTAL,
            "portal on page 2": lambda asked: PORTAL if asked.next_page else None,
            "expired on page 2": lambda asked: refusal(400, "ExpiredToken") if asked.next_page else None,
            "forbidden": lambda asked: refusal(403, "AccessDenied") if asked.lists else None,
            "no bucket": lambda asked: refusal(404, "NoSuchBucket"),
            "slow": lambda asked: refusal(503, "SlowDown"),
        }
        self.names = [*self._answers, "broken page", "cut short"]
        relay.before.append(self._before)
        relay.after.append(self._after)

    def _before(self, asked: Asked) -> Reply | None:
        reply = self._answers[self.name](asked) if self.name in self._answers else None
        self.hits += reply is not None
        return reply

    def _after(self, asked: Asked, reply: Reply) -> Reply:
        if self.name == "broken page" and asked.next_page and self.hits < 1:
            self.hits += 1
            return Reply(reply.status, reply.body, reply.headers, cut=len(reply.body) // 3)
        if self.name == "cut short" and asked.lists:
            body = reply.body
            for name in (b"NextContinuationToken", b"NextMarker"):
                before, _, after = body.partition(b"<%s>" % name)
                if after:
                    body = before + after.partition(b"</%s>" % name)[2]
            body = body.replace(*next(iter(CUT.items())))
            # The question for one more key ends with a token, too, and is answered all the same.
            asks_for_the_end = bool({"start-after", "startFrom"} & asked.query.keys())
            self.hits += body != reply.body and not asks_for_the_end
            return reply.with_body(body)
        return reply


class History:
    def __init__(self, bucket: Bucket, seed: int) -> None:
        self.bucket, self.random = bucket, random.Random(seed)
        bucket.page_by(3)
        self.faults = Faults(bucket.relay)
        self.connector = bucket.connect("docs")
        self.model: dict[str, bytes] = {}
        self.versions: dict[tuple[str, str | None], str] = {}

    def step(self) -> None:
        match self.random.choice(["put", "put", "edit", "rename", "delete", "fault", "fault off"]):
            case "put":
                self._put(self.random.choice(NAMES))
            case "edit" if self.model:
                self._put(self.random.choice(sorted(self.model)))
            case "rename" if self.model:
                old, new = self.random.choice(sorted(self.model)), self.random.choice(NAMES)
                self._put(new, self.model[old])
                if old != new:
                    self._remove(old)
            case "delete" if self.model:
                self._remove(self.random.choice(sorted(self.model)))
            case "fault":
                self.faults.name = self.random.choice(self.faults.names)
            case _:
                self.faults.name = None
        self.compare()

    def _put(self, name: str, data: bytes | None = None) -> None:
        self.model[name] = self.random.randbytes(self.random.randrange(1, 50)) if data is None else data
        self.bucket.put(f"docs/{name}", self.model[name])

    def _remove(self, name: str) -> None:
        self.bucket.remove(f"docs/{name}")
        del self.model[name]

    def compare(self) -> None:
        expected = {name.replace("%20", "%2520"): data for name, data in self.model.items()}
        self.faults.hits = 0
        try:
            listing = self.connector.list()
            found = list(listing)
        except SourceUnavailable:
            assert self.faults.hits
        else:
            assert [entry.uri for entry in found] == sorted({entry.uri for entry in found})
            assert listing.complete == (not self.faults.hits), (self.faults.name, listing.errors)
            assert all(len(expected[entry.uri]) == entry.size for entry in found)
            if listing.complete:
                assert {entry.uri for entry in found} == expected.keys()
            for entry in found:
                self._same_version(entry, expected[entry.uri])
        uri = self.random.choice([*sorted(expected), "gone.md"])
        self.faults.hits = 0
        try:
            asked_for = self.connector.stat(uri)
            fetched = self.connector.fetch(uri, None) if asked_for is not None else None
        except SourceUnavailable:
            assert self.faults.hits
        else:
            assert (asked_for is None) == (uri not in expected)
            if fetched is not None:
                assert fetched.entry == asked_for
                assert fetched.content_hash == hashlib.sha256(expected[uri]).hexdigest()

    def _same_version(self, entry: Entry, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()
        assert self.versions.setdefault((entry.uri, entry.token), digest) == digest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    soak = metafunc.config.getoption("--soak")
    if "seed" in metafunc.fixturenames:
        metafunc.parametrize("seed", range(20) if soak else [11])
        metafunc.parametrize("steps", [200 if soak else 25])


def test_a_history_of_s3(s3: S3Bucket, seed: int, steps: int) -> None:
    history = History(s3, seed)
    for _ in range(steps):
        history.step()


def test_a_history_of_azure_and_google(cloud: Bucket, seed: int, steps: int) -> None:
    history = History(cloud, seed)
    for _ in range(steps):
        history.step()
