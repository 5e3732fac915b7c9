"""A bucket of each service, with what its connector cannot do: change, hide, fail."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, unquote

from connectors.base import Connector, ConnectorSettings, Context
from connectors.objects.connector import ObjectConnector
from connectors.objects.services import AzureConnector, GcsConnector, S3Connector
from tests.connectors.objects.azurite import ACCOUNT, KEY, ask, authorization
from tests.connectors.objects.relay import Asked, Relay, Reply, refusal
from tests.contracts.connector_contract import MAX_SIZE

ACCESS_KEY, SECRET_KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class Bucket:
    """Behind a relay that keeps the connector apart from the server; `pauses` has each wait of a connector
    before it asks again, in seconds. None is waited for."""

    kind: ClassVar[type[ObjectConnector]]
    scheme: ClassVar[str]

    def __init__(self, name: str, relay: Relay, folder: Path) -> None:
        self.name, self.relay, self.folder = name, relay, folder
        self.pauses: list[float] = []
        self.connectors: list[Connector] = []

    def settings(self, prefix: str = "", **more: Any) -> dict[str, Any]:
        return {
            "url": f"{self.scheme}://{self.name}/{prefix}".rstrip("/"),
            "endpoint": self.relay.url,
            "hidden": True,
            "retries": 0,
            "timeout": 20,
            **more,
        }

    def connect(self, prefix: str = "", cache: Path | None = None, **more: Any) -> ObjectConnector:
        return self.connected(self.settings(prefix, **more), cache)

    def connected(self, settings: dict[str, Any], cache: Path | None = None) -> ObjectConnector:
        model: type[ConnectorSettings] = self.kind.settings_model
        context = Context("docs", self.folder, MAX_SIZE, cache=cache)
        connector = self.kind(model.model_validate(settings), context)
        connector.pause = self.pauses.append
        self.connectors.append(connector)
        return connector

    def close(self) -> None:
        for connector in self.connectors:
            connector.close()
        self.relay.close()

    def is_of(self, asked: Asked, key: str) -> bool:
        """Whether this request is for the object of this key."""
        return asked.path.endswith(f"/{self.name}/{key}") and not asked.query.keys() & {"list-type", "comp"}

    def page_by(self, count: int) -> None:
        """Pages have so many keys from now on."""
        name = "maxresults" if self.scheme == "az" else "max-keys"

        def limited(asked: Asked) -> None:
            if asked.lists and name not in asked.query:
                asked.target += f"&{name}={count}"
                self.resign(asked)

        self.relay.before.insert(0, limited)

    def put(self, key: str, data: bytes, **metadata: str) -> None: ...
    def remove(self, key: str) -> None: ...

    def resign(self, asked: Asked) -> None:
        """The request was altered on its way."""

    def put_raw(self, key: str, data: bytes) -> None:
        """Under a key that need not be a path."""
        self.put(key, data)


class S3Bucket(Bucket):
    kind: ClassVar[type[ObjectConnector]] = S3Connector
    scheme = "s3"

    def __init__(self, name: str, relay: Relay, folder: Path) -> None:
        super().__init__(name, relay, folder)
        self.client = _client(relay.upstream)
        self.client.create_bucket(Bucket=name)

    def settings(self, prefix: str = "", **more: Any) -> dict[str, Any]:
        keys = {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY, "region": "us-east-1"}
        return super().settings(prefix, **{**keys, **more})

    def put(self, key: str, data: bytes, **metadata: str) -> None:
        kind = metadata.pop("content_type", "binary/octet-stream")
        self.client.put_object(Bucket=self.name, Key=key, Body=data, ContentType=kind, Metadata=metadata)

    def put_packed(self, key: str, data: bytes) -> None:
        """Bytes that say of themselves that they are packed."""
        self.client.put_object(Bucket=self.name, Key=key, Body=data, ContentEncoding="gzip")

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=self.name, Key=key)


class GcsBucket(S3Bucket):
    """moto behind a relay: the XML API of Google's, which obstore's client speaks, is that of S3 with other
    headers."""

    kind = GcsConnector
    scheme = "gs"

    def __init__(self, name: str, relay: Relay, folder: Path) -> None:
        super().__init__(name, relay, folder)

        def as_google(asked: Asked, reply: Reply) -> Reply:
            told = {key.replace("x-amz-meta-", "x-goog-meta-"): value for key, value in reply.headers.items()}
            if reply.headers.get("content-encoding") != "gzip" or asked.headers.get("accept-encoding"):
                return replace(reply, headers=told)
            # It unpacks the bytes as it sends them, and knows neither their length nor their hash before.
            told = {key: value for key, value in told.items() if key not in ("content-encoding", "etag")}
            return Reply(reply.status, gzip.decompress(reply.body), told, measured=False)

        def signed(asked: Asked) -> None:
            # obstore escapes what need not be; moto looks for the bucket's name as it is.
            path, _, query = asked.target.partition("?")
            asked.target = f"{quote(unquote(path))}?{query}" if query else quote(unquote(path))
            # moto wants some signature of whoever is not to be the public.
            scope = f"Credential={ACCESS_KEY}/20260101/us-east-1/s3/aws4_request"
            asked.headers["Authorization"] = f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"

        relay.before.append(signed)
        relay.after.append(as_google)

    def settings(self, prefix: str = "", **more: Any) -> dict[str, Any]:
        return Bucket.settings(self, prefix, **{"anonymous": True, **more})


class AzureBucket(Bucket):
    kind = AzureConnector
    scheme = "az"

    def __init__(self, name: str, relay: Relay, folder: Path) -> None:
        super().__init__(name, relay, folder)
        from obstore.store import AzureStore

        self.store = AzureStore(
            name,
            account_name=ACCOUNT,
            account_key=KEY,
            endpoint=f"http://127.0.0.1:{relay.upstream}/{ACCOUNT}",
            client_options={"allow_http": True},
        )

    def settings(self, prefix: str = "", **more: Any) -> dict[str, Any]:
        keys = {"account": ACCOUNT, "account_key": KEY, "endpoint": f"{self.relay.url}/{ACCOUNT}"}
        return super().settings(prefix, **{**keys, **more})

    def put(self, key: str, data: bytes, **metadata: str) -> None:
        kind = metadata.pop("content_type", "application/octet-stream")
        self.store.put(key, data, attributes={"Content-Type": kind, **metadata})

    def resign(self, asked: Asked) -> None:
        headers = {name: value for name, value in asked.headers.items() if name.lower() != "authorization"}
        asked.headers = {**headers, "Authorization": authorization(asked.method, asked.target, headers)}

    def put_raw(self, key: str, data: bytes) -> None:
        assert ask(self.relay.upstream, "PUT", f"{self.name}/{key}", body=data) == 201

    def remove(self, key: str) -> None:
        self.store.delete(key)


@cache
def _client(port: int) -> Any:
    """Made once: it reads descriptions of all of AWS."""
    from importlib import import_module

    # It has no types.
    return import_module("boto3").client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
    )


class BucketDriver:
    """The contract's driver of a bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket, self.connector = bucket, bucket.connect("docs")

    def put(self, uri: str, data: bytes) -> None:
        self.bucket.put(f"docs/{uri}", data)

    def remove(self, uri: str) -> None:
        self.bucket.remove(f"docs/{uri}")

    def rename(self, old: str, new: str) -> None:
        self.put(new, b"x")
        self.remove(old)

    def describe(self, uri: str, properties: dict[str, str]) -> bool:
        return False

    def own(self, text: str) -> bool:
        return False

    def forbid(self, uri: str) -> None:
        self.bucket.relay.before.append(
            lambda asked: refusal(403, "AccessDenied") if self.bucket.is_of(asked, f"docs/{uri}") else None
        )

    def disturb(self, uri: str) -> None:
        def change(asked: Asked, reply: Reply) -> Reply:
            if asked.method == "GET" and self.bucket.is_of(asked, f"docs/{uri}"):
                self.put(uri, reply.body + b"!")
                return Reply(reply.status, reply.body, reply.headers, cut=0)
            return reply

        self.bucket.relay.after.append(change)

    def conceal(self, folder: str) -> None:
        """A record that cannot be read; where obstore lists, a key that it stumbles over."""
        if type(self.bucket) is not S3Bucket:
            self.bucket.put_raw(f"docs/{folder}//x", b"x")
            return

        def spoil(asked: Asked, reply: Reply) -> Reply:
            if not asked.lists:
                return reply
            below = re.compile(rb"(<Key>docs(?:/|%2F)" + folder.encode() + rb".*?<LastModified>)")
            return reply.with_body(below.sub(rb"\1once, ", reply.body))

        self.bucket.relay.after.append(spoil)

    def take_away(self) -> None:
        self.bucket.relay.close()
