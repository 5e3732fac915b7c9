"""Buckets on real servers: moto for S3, moto behind a relay that speaks Google's headers, Azurite."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connectors.objects.azurite import ask, azurite
from tests.connectors.objects.buckets import AzureBucket, Bucket, GcsBucket, S3Bucket
from tests.connectors.objects.relay import Relay

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def no_credentials_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))


@pytest.fixture(scope="session")
def moto_port() -> Iterator[int]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield int(port)
    server.stop()


@pytest.fixture(scope="session")
def azurite_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with azurite(tmp_path_factory.mktemp("azurite")) as port:
        yield port


@pytest.fixture
def s3(moto_port: int, tmp_path: Path) -> Iterator[S3Bucket]:
    """An empty bucket."""
    relay = Relay(moto_port)
    bucket = S3Bucket(f"bucket-{next(_numbers)}", relay, tmp_path)
    yield bucket
    bucket.close()


@pytest.fixture
def gcs(moto_port: int, tmp_path: Path) -> Iterator[GcsBucket]:
    relay = Relay(moto_port)
    bucket = GcsBucket(f"bucket-{next(_numbers)}", relay, tmp_path)
    yield bucket
    bucket.close()


@pytest.fixture
def azure(azurite_port: int, tmp_path: Path) -> Iterator[AzureBucket]:
    name = f"container-{next(_numbers)}"
    assert ask(azurite_port, "PUT", name, "restype=container") == 201
    relay = Relay(azurite_port)
    bucket = AzureBucket(name, relay, tmp_path)
    yield bucket
    bucket.close()


@pytest.fixture(params=["s3", "gcs", "azure"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """Each of the three."""
    found: Bucket = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["gcs", "azure"])
def cloud(request: pytest.FixtureRequest) -> Bucket:
    """Those that obstore lists."""
    found: Bucket = request.getfixturevalue(request.param)
    return found
