"""No request reaches an address that is not public, unless its host is allowed by name: 60 ways to try."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from connectors.base import DocumentError, SourceUnavailable
from connectors.web.address import kind_of, refusal, resolve
from connectors.web.client import Client
from connectors.web.settings import WebSettings
from connectors.web.site import Address, parse
from tests.connectors.web.website import Website

#: Each leads to this machine, its network or its cloud, when it is followed as it stands.
HOSTILE = [
    "http://127.0.0.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://0177.0x0.0.1/",
    "http://127.0.0.1./",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://0/",
    "http://0.0.0.0/",
    "http://127。0。0。1/",
    "http://127．0．0．1/",
    "http://127｡0｡0｡1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://ⓛocalhost/",
    "http://１２７.0.0.1/",
    "http://[::1]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:0:127.0.0.1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::127.0.0.1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b:1::1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25lo]/",
    "http://[fe80::1%lo]/",
    "http://[fec0::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[ff02::1]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://0251.0376.0251.0376/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "http://100.100.100.200/",
    "http://100.64.0.1/",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://192.168.1.1/",
    "http://192.168.257/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://example.org@127.0.0.1/",
    "http://example.org:80@127.0.0.1/",
    "http://127.0.0.1#@example.org/",
    "http://127.0.0.1?@example.org/",
    "http://127.0.0.1\\@example.org/",
    "http://example.org%40127.0.0.1/",
    "http://127.0.0.1%00.example.org/",
    "http://127.0.0.1%2f.example.org/",
    "http:\\\\127.0.0.1\\",
]


class _Sockets:
    """Every connection of the process, by address."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[object] = []
        really = socket.create_connection

        def connect(address: tuple[str, int], *args: object, **more: object) -> socket.socket:
            self.made.append(address)
            return really(address, *args, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "create_connection", connect)


def _client(*allow: str, resolve: object = resolve) -> Client:
    settings = WebSettings.model_validate({"start": ["http://example.org/"], "allow": allow, "rate": 1000})
    return Client(settings, pause=lambda seconds: None, timeout=2, resolve=resolve)  # type: ignore[arg-type]


def _get(client: Client, url: str) -> int:
    address = parse(url)
    assert address is not None
    with closing(client):
        return client.get(address, lambda answer: answer.status)


@pytest.mark.parametrize("url", HOSTILE)
def test_nothing_is_connected_to_for_a_hostile_url(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = _Sockets(monkeypatch)
    if (address := parse(url)) is None:
        return
    # A host that no name server knows is as good as refused; no test asks one beyond this machine.
    with pytest.raises(SourceUnavailable), closing(_client(resolve=_local)) as client:
        client.get(address, lambda answer: answer.status)
    assert sockets.made == []


def _local(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        if host != "localhost":
            raise
        return ["127.0.0.1", "::1"]
    return [str(address[0]) for *_, address in found]


def test_all_are_tried() -> None:
    assert len(set(HOSTILE)) >= 60
    followed = [url for url in HOSTILE if parse(url) is not None]
    assert len(followed) >= 50


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8"]
)
def test_public_addresses_are_not_refused(address: str) -> None:
    assert refusal(address, "example.org", ()) is None


def test_an_unknown_form_of_an_address_is_refused() -> None:
    assert refusal("example.org", "example.org", ()) == "unknown"
    assert refusal("fe80::1%eth0", "fe80::1", ()) == "link-local"


@pytest.fixture
def website() -> Iterator[Website]:
    site = Website()
    site.page("/")
    yield site
    site.close()


def test_a_host_is_allowed_by_its_name_and_no_other_is(website: Website) -> None:
    port = website.host.rpartition(":")[2]
    assert _get(_client("127.0.0.1"), website.url) == 200
    assert _get(_client("localhost"), f"http://localhost:{port}/") == 200
    with pytest.raises(SourceUnavailable, match=r"'localhost' .* \(loopback\)\. .* allow: \[localhost\]\.$"):
        _get(_client("wiki.intern"), f"http://localhost:{port}/")


def test_a_name_that_is_allowed_does_not_lead_to_metadata() -> None:
    lured = _client("wiki.intern", resolve=lambda host, port: ["169.254.169.254"])
    with pytest.raises(SourceUnavailable, match=r"link-local.*allow: \[169\.254\.169\.254\]"):
        _get(lured, "http://wiki.intern/")
    assert refusal("169.254.169.254", "169.254.169.254", ["169.254.169.254"]) is None
    assert refusal("10.0.0.1", "wiki.intern", ["wiki.intern"]) is None


def test_a_name_that_means_another_address_at_each_question_is_caught_at_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: what is connected to is what was checked, and the name is not asked a second time."""
    answers = [["192.0.2.77", "8.8.8.8"], ["127.0.0.1"], ["127.0.0.1"]]
    asked: list[str] = []
    tried: list[object] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    def refuse(address: object, *args: object, **more: object) -> socket.socket:
        tried.append(address)
        raise ConnectionRefusedError(111, "Connection refused")

    monkeypatch.setattr(socket, "create_connection", refuse)
    with pytest.raises(SourceUnavailable, match="loopback"):
        _get(_client(resolve=rebinding), "http://rebind.example/")
    # The first question gave a documentation address, refused, and a public one, tried; the second none.
    assert tried == [("8.8.8.8", 80)]
    assert asked == ["rebind.example", "rebind.example"]


def test_the_address_at_the_other_end_is_checked_as_well(
    website: Website, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when something between this machine and the address sends the connection elsewhere."""
    really = socket.create_connection
    here = ("127.0.0.1", int(website.host.rpartition(":")[2]))
    monkeypatch.setattr(
        socket, "create_connection", lambda address, *args, **more: really(here, *args, **more)
    )
    with pytest.raises(SourceUnavailable, match="loopback"):
        _get(_client(resolve=lambda host, port: ["8.8.8.8"]), "http://example.org/")
    assert website.asked == []


def test_no_proxy_of_the_environment_is_used(website: Website, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, website.url)
    with pytest.raises(SourceUnavailable, match="loopback"):
        _get(_client(resolve=lambda host, port: ["127.0.0.1"]), "http://example.org/")
    assert website.asked == []


def test_the_name_of_the_host_is_what_the_server_is_told(website: Website) -> None:
    host, _, port = website.host.rpartition(":")
    client = _client("wiki.intern", resolve=lambda name, at: [host])
    with closing(client):
        address = Address("http", f"wiki.intern:{port}", "/", "")
        assert client.get(address, lambda answer: answer.status) == 200
    assert website.seen_headers[-1]["Host"] == f"wiki.intern:{port}"


def test_what_is_unspecified_by_python_is_refused_as_well() -> None:
    from ipaddress import ip_address

    assert kind_of(ip_address("192.88.99.1")) == "reserved"
    assert kind_of(ip_address("::2")) is not None
    with pytest.raises((SourceUnavailable, DocumentError)):
        _get(_client(resolve=lambda host, port: []), "http://example.org/")
