"""External links, asked of a real server on loopback."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from index.audit.external import gone
from index.audit.reach import is_public, status_of
from tests.knowledge import Knowledge


class Site:
    """A server whose paths answer what they say: /404 with 404, /to/200 with a redirect to /200."""

    def __init__(self) -> None:
        site = self
        self.asked: Counter[str] = Counter()
        self.agents: set[str] = set()
        self.now: dict[str, int] = {}

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                site.asked[f"{self.command} {self.path}"] += 1
                site.agents.add(self.headers["User-Agent"])
                if self.path.startswith("/to/"):
                    self.send_response(302)
                    self.send_header("Location", self.path.removeprefix("/to"))
                elif self.path == "/no-head":
                    self.send_response(405 if self.command == "HEAD" else 200)
                elif self.path == "/away":
                    self.send_response(302)
                    self.send_header("Location", "http://10.0.0.1/")
                else:
                    self.send_response(site.now.get(self.path, int(self.path[1:4])))
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_HEAD = answer

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()
    yield found
    found.close()


def here(url: str) -> int:
    return status_of(url, lambda address: address == "127.0.0.1")


def test_the_status_of_an_address(site: Site) -> None:
    for path, status in {"/200": 200, "/404": 404, "/to/410": 410, "/no-head": 200, "/403": 403}.items():
        assert here(site.url + path) == status, path
    assert site.asked["HEAD /200"] == 1 and site.asked["GET /200"] == 0
    assert site.asked["GET /404"] == 1
    assert all(agent.startswith("freshkb/") for agent in site.agents)
    assert here(site.url + "/to" * 9 + "/200") == 0


def test_only_public_addresses_are_asked(site: Site) -> None:
    assert status_of(f"{site.url}/200") == 0
    assert here(f"{site.url}/away") == 0
    assert site.asked["HEAD /200"] == 0
    for address in ("127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.1.1", "::1", "fe80::1", "0.0.0.0"):
        assert not is_public(address), address
    assert not is_public("::ffff:127.0.0.1") and not is_public("100.64.0.1")
    assert is_public("1.1.1.1") and is_public("2606:4700:4700::1111")


def test_no_answer_is_no_status() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert here(f"http://127.0.0.1:{closed.getsockname()[1]}/") == 0
    assert here("ftp://127.0.0.1/") == 0
    assert here("http://name.invalid/") == 0


def test_gone_is_gone_on_three_days_in_a_row(kb: Knowledge, site: Site) -> None:
    kb.sync()
    urls = [f"{site.url}/{status}" for status in (200, 404, 403, 500)]

    def days() -> list[int]:
        with kb.workspace() as workspace:
            found = gone(workspace.ledger, urls, kb.clock.time, here)
            return [len(found(url)) for url in urls]

    assert days() == [0, 1, 0, 0]
    asked = site.asked.total()
    kb.clock.forward(hours=5)
    assert days() == [0, 1, 0, 0]
    assert site.asked.total() == asked
    kb.clock.forward(days=1)
    assert days() == [0, 2, 0, 0]
    site.now["/404"] = 503
    kb.clock.forward(days=1)
    assert days() == [0, 0, 0, 0]
    del site.now["/404"]
    for expected in (1, 2, 3, 3):
        kb.clock.forward(days=1)
        assert days() == [0, expected, 0, 0]
    site.now["/404"] = 200
    kb.clock.forward(days=1)
    assert days() == [0, 0, 0, 0]


def test_an_audit_asks_only_when_it_is_switched_on(
    kb: Knowledge, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from index.audit.audit import audit_of

    monkeypatch.setattr("index.audit.external.gone.__defaults__", (here,))
    kb.write(
        "a.md", f"[x]({site.url}/404#part) [y]({site.url}/200)\n\n[x]({site.url}/404#b) [x]({site.url}/404)\n"
    )
    kb.sync()
    kb.ask(audit_of)
    assert not site.asked
    kb.settings["audit"] = {"checks": {"dead-external-link": True}}
    for _ in range(3):
        found = [f for f in kb.ask(audit_of).findings if f.code == "dead-external-link"]
        kb.clock.forward(days=1)
    assert [(f.uri, f.line, f.key) for f in found] == [("a.md", 1, f"{site.url}/404")]
    assert "2026-06-01, 2026-06-02, 2026-06-03" in found[0].evidence
