"""What a configuration may say of a bucket, and what is refused with a reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.base import Context, connector_class
from connectors.objects.services import AzureConnector, GcsConnector, S3Connector
from connectors.objects.settings import AzureSettings, GcsSettings, S3Settings

S3 = {"url": "s3://bucket"}
AZURE = {"url": "az://container", "account": "acme"}


@pytest.mark.parametrize(
    ("url", "bucket", "prefix"),
    [
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/", "bucket", ""),
        ("s3://bucket/a/b/", "bucket", "a/b/"),
        ("s3a://my.bucket/a b", "my.bucket", "a b/"),
        ("s3://bucket/100%25", "bucket", "100%25/"),
    ],
)
def test_a_url_names_a_bucket_and_a_folder(url: str, bucket: str, prefix: str) -> None:
    settings = S3Settings(url=url)
    assert (settings.bucket, settings.prefix) == (bucket, prefix)


@pytest.mark.parametrize(
    ("model", "settings", "said"),
    [
        (S3Settings, {"url": "https://bucket"}, "must look like s3://bucket/prefix"),
        (S3Settings, {"url": "s3://"}, "must look like"),
        (S3Settings, {"url": "s3:///docs"}, "is not the name of a bucket"),
        (S3Settings, {"url": "s3://key:secret@bucket"}, "have no place in it"),
        (S3Settings, {"url": "s3://bucket/a//b"}, "has an empty segment"),
        (S3Settings, {"url": "s3://bucket/../b"}, "a . or .. for one"),
        (S3Settings, {"url": "s3://b--use1-az4--x-s3"}, "directory bucket"),
        (S3Settings, {**S3, "endpoint": "minio.example.org"}, "does not begin with http"),
        (S3Settings, {**S3, "access_key_id": "a"}, "belong together"),
        (S3Settings, {**S3, "session_token": "a"}, "needs access_key_id"),
        (S3Settings, {**S3, "profile": "a", "anonymous": True}, "keep one of them"),
        (
            S3Settings,
            {**S3, "profile": "a", "access_key_id": "a", "secret_access_key": "b"},
            "keep one of them",
        ),
        (S3Settings, {**S3, "virtual_hosted": True}, "there has to be one"),
        (S3Settings, {**S3, "region": "EU West"}, "region"),
        (S3Settings, {**S3, "timeout": 0}, "timeout"),
        (S3Settings, {**S3, "retries": 99}, "retries"),
        (GcsSettings, {"url": "s3://bucket"}, "must look like gs://bucket/prefix"),
        (
            GcsSettings,
            {"url": "gs://b1", "service_account_file": "a", "service_account_key": "b"},
            "keep one of them",
        ),
        (AzureSettings, {"url": "az://container"}, "account"),
        (AzureSettings, {**AZURE, "account_key": "a", "sas_token": "b"}, "keep one of them"),
        (AzureSettings, {**AZURE, "client_secret": "b"}, "belong together"),
        (AzureSettings, {**AZURE, "account": "Not-One"}, "account"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(model: Any, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        model.model_validate(settings)
    assert said in str(raised.value)
    assert "secret@" not in raised.value.errors(include_input=False)[0]["msg"]


def test_the_three_types_are_known() -> None:
    assert [connector_class(name) for name in ("s3", "gcs", "azure")] == [
        S3Connector,
        GcsConnector,
        AzureConnector,
    ]


def test_settings_are_checked_without_obstore() -> None:
    code = (
        "import sys; from connectors.base import connector_class; "
        "[connector_class(n).settings_model.model_json_schema() for n in ('s3', 'gcs', 'azure')]; "
        "assert not {'obstore', 'boto3'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def connector(kind: Any, **settings: Any) -> Any:
    return kind(kind.settings_model.model_validate(settings), Context("docs", Path("/"), 1))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"region": "eu-west-1"}, {"region": "us-east-1"}, True),
        ({}, {"profile": "work"}, True),
        ({}, {"url": "s3://bucket/docs"}, False),
        ({}, {"url": "s3://bucket2"}, False),
        ({}, {"endpoint": "https://minio.example.org"}, False),
        ({"region": "us-east-1"}, {"region": "cn-north-1"}, False),
        ({"endpoint": "https://minio.example.org"}, {"endpoint": "https://minio.example.org/"}, True),
    ],
)
def test_an_identity_is_of_the_place_and_of_nothing_else(
    one: dict[str, Any], other: dict[str, Any], same: bool
) -> None:
    first, second = (connector(S3Connector, **{**S3, **settings})._identity() for settings in (one, other))
    assert (first == second) is same


def test_an_account_is_a_part_of_the_place() -> None:
    first = connector(AzureConnector, **AZURE)
    assert first._identity() != connector(AzureConnector, **{**AZURE, "account": "other"})._identity()
    assert {"url", "endpoint", "account"} == AzureSettings.place


def test_links_of_the_clouds_are_those_that_browsers_open() -> None:
    s3 = connector(S3Connector, url="s3://bucket/docs", region="eu-west-1")
    assert s3.url("a b.md") == "https://s3.eu-west-1.amazonaws.com/bucket/docs/a%20b.md"
    hosted = connector(
        S3Connector, url="s3://bucket", endpoint="https://bucket.example.org", virtual_hosted=True
    )
    assert hosted.url("a.md") == "https://bucket.example.org/a.md"
    gcs = connector(GcsConnector, url="gs://bucket/docs")
    assert gcs.url("a.md") == "https://storage.cloud.google.com/bucket/docs/a.md"
    azure = connector(AzureConnector, **AZURE)
    assert azure.url("a.md") == "https://acme.blob.core.windows.net/container/a.md"


@pytest.mark.parametrize("key", ["ca", "service_account_file"])
def test_a_file_that_is_not_there_is_named(key: str, tmp_path: Path) -> None:
    from connectors.base import SourceUnavailable

    settings = GcsSettings.model_validate({"url": "gs://bucket", key: "no.pem"})
    with pytest.raises(SourceUnavailable, match=r"\.$") as raised:
        GcsConnector(settings, Context("docs", tmp_path, 1)).list()
    assert "docs" in str(raised.value)
