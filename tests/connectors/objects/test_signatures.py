"""Who asks: signed by our keys, by a profile's, by a program's, or by nobody; and none of it in a message."""

from __future__ import annotations

import hashlib
import hmac
import json
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest

from connectors.base import SourceUnavailable
from connectors.objects.aws import credentials_of, endpoint_of, region_of
from tests.connectors.objects.buckets import ACCESS_KEY, SECRET_KEY, AzureBucket, Bucket, S3Bucket
from tests.connectors.objects.relay import Asked

KEYS: dict[str, Any] = {"access_key_id": None, "secret_access_key": None}


def signature(asked: Asked, secret: str) -> str:
    """The signature of a url, by the words of AWS's "Signature Version 4": an independent reckoning."""
    parts = urlsplit(asked.target)
    query = sorted((name, value) for name, value in parse_qsl(parts.query, True) if name != "X-Amz-Signature")
    told = dict(query)
    canonical = "\n".join(
        [
            asked.method,
            parts.path,
            "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in query),
            f"host:{asked.headers['Host']}\n",
            "host",
            "UNSIGNED-PAYLOAD",
        ]
    )
    _, *scope = told["X-Amz-Credential"].split("/")
    to_sign = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            told["X-Amz-Date"],
            "/".join(scope),
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("prefix", ["", "docs", "a b+c/é&=%20"])
def test_a_page_is_asked_for_with_a_signature_that_aws_accepts(s3: S3Bucket, prefix: str) -> None:
    for number in range(3):
        s3.put(f"{prefix}/{number}.md" if prefix else f"{number}.md", b"x")
    s3.page_by(2)
    s3.relay.before.clear()
    listing = s3.connect(prefix, session_token="tok/en+=").list()
    assert len(list(listing)) == 3
    assert listing.complete
    assert s3.relay.asked
    for asked in s3.relay.asked:
        assert asked.query["X-Amz-Signature"] == signature(asked, SECRET_KEY)
        assert asked.query["X-Amz-Credential"].startswith(f"{ACCESS_KEY}/")
        assert asked.query["X-Amz-Security-Token"] == "tok/en+="
        assert asked.query["X-Amz-Expires"] == "600"
        # S3 ignores what begins so.
        known = ("X-Amz-", "list-type", "encoding-type", "prefix", "max-keys", "start-after", "x-")
        assert all(name.startswith(known) for name in asked.query)


def test_nobody_signs_what_is_public(bucket: Bucket) -> None:
    bucket.put("docs/a.md", b"x")
    if isinstance(bucket, S3Bucket) and bucket.scheme == "s3":
        for permission in ("bucket", "object"):
            key = {"Key": "docs/a.md"} if permission == "object" else {}
            acl = getattr(bucket.client, f"put_{permission}_acl")
            acl(Bucket=bucket.name, ACL="public-read", **key)
    keys = ("access_key_id", "secret_access_key", "account_key")
    settings = {name: value for name, value in bucket.settings("docs").items() if name not in keys}
    connector = bucket.connected({**settings, "anonymous": True})
    if bucket.scheme == "az":
        with pytest.raises(SourceUnavailable, match=r"does not know these credentials|may not be listed"):
            connector.list()
    else:
        assert [entry.uri for entry in connector.list()] == ["a.md"]
        assert connector.fetch("a.md", None).entry.size == 1
    sent = [name.lower() for asked in bucket.relay.asked for name in (*asked.headers, *asked.query)]
    assert "x-amz-signature" not in sent
    if bucket.scheme != "gs":
        assert "authorization" not in sent


def test_azure_takes_a_shared_access_signature_as_its_portal_shows_it(azure: AzureBucket) -> None:
    from obstore import sign

    azure.put("docs/a.md", b"x")
    # It may read this one object, and may not list.
    url = sign(azure.store, "GET", "docs/a.md", timedelta(minutes=5))
    settings = {name: value for name, value in azure.settings("docs").items() if name != "account_key"}
    connector = azure.connected({**settings, "sas_token": f"?{urlsplit(url).query}"})
    assert connector.fetch("a.md", None).entry.size == 1
    with pytest.raises(SourceUnavailable) as raised:
        connector.list()
    assert "sig=" not in str(raised.value)
    assert "authorization" not in {name.lower() for asked in azure.relay.asked for name in asked.headers}


def test_who_pays_for_requests_says_so(s3: S3Bucket) -> None:
    s3.put("a.md", b"x")
    connector = s3.connect(requester_pays=True)
    assert len(list(connector.list())) == 1
    connector.fetch("a.md", None)
    for asked in s3.relay.asked:
        payer = {name.lower(): value for name, value in {**asked.headers, **asked.query}.items()}
        assert payer["x-amz-request-payer"] == "requester"
        if asked.lists:
            assert asked.query["X-Amz-Signature"] == signature(asked, SECRET_KEY)


def write(path: Path, text: str, environment: pytest.MonkeyPatch, name: str) -> None:
    path.write_text(text)
    environment.setenv(name, str(path))


def test_a_profile_gives_keys_and_region(
    s3: S3Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = f"[work]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    write(tmp_path / "credentials", keys, monkeypatch, "AWS_SHARED_CREDENTIALS_FILE")
    write(tmp_path / "config", "[profile work]\nregion = eu-central-1\n", monkeypatch, "AWS_CONFIG_FILE")
    s3.put("a.md", b"x")
    for connector in (
        s3.connect(profile="work", region=None, **KEYS),
        s3.connect(profile=None, region=None, **KEYS),
    ):
        s3.relay.asked.clear()
        assert len(list(connector.list())) == 1
        connector.fetch("a.md", None)
        for asked in s3.relay.asked:
            sent = unquote(asked.target) + asked.headers.get("authorization", "")
            assert f"{ACCESS_KEY}/" in sent and "/eu-central-1/" in sent
        monkeypatch.setenv("AWS_PROFILE", "work")


def test_a_program_gives_keys_that_are_kept_until_they_end(
    s3: S3Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "Version": 1,
        "AccessKeyId": ACCESS_KEY,
        "SecretAccessKey": SECRET_KEY,
        "SessionToken": "session",
        "Expiration": "2099-01-01T00:00:00Z",
    }
    program = tmp_path / "keys.sh"
    program.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\necho '{json.dumps(given)}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    config = f"[profile sso]\ncredential_process = {program}\n"
    write(tmp_path / "config", config, monkeypatch, "AWS_CONFIG_FILE")
    for number in range(5):
        s3.put(f"{number}.md", b"x")
    s3.page_by(2)
    s3.relay.before.clear()
    connector = s3.connect(profile="sso", **KEYS)
    assert len(list(connector.list())) == 5
    connector.fetch("1.md", None)
    assert (tmp_path / "runs").read_text() == "run\n"
    page = next(asked for asked in s3.relay.asked if asked.lists)
    assert page.query["X-Amz-Signature"] == signature(page, SECRET_KEY)
    assert page.query["X-Amz-Security-Token"] == "session"


@pytest.mark.parametrize("says", ["exit 1", "echo sec-SECRET", "echo '{}'", "echo '[]'"])
def test_a_program_that_gives_none_is_named_and_not_repeated(
    s3: S3Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    config = f'[profile sso]\ncredential_process = sh -c "{says}"\n'
    write(tmp_path / "config", config, monkeypatch, "AWS_CONFIG_FILE")
    with pytest.raises(SourceUnavailable, match="credentials") as raised:
        s3.connect(profile="sso", **KEYS).list()
    assert "SECRET" not in str(raised.value)


def test_a_profile_that_gives_no_keys_says_what_would(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[profile sso]\nsso_session = work\n")
    environment = {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no"),
    }
    with pytest.raises(SourceUnavailable, match=r"needs a sign-in or a role.*export-credentials"):
        credentials_of("sso", environment)
    with pytest.raises(SourceUnavailable, match="'other' is in neither of AWS's files"):
        credentials_of("other", environment)
    assert credentials_of(None, environment) == (None, None, None, None)


def test_files_that_cannot_be_read_are_named_without_their_lines(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("aws_secret_access_key = sec-SECRET\n")
    environment = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials")}
    with pytest.raises(SourceUnavailable, match="credentials' cannot be read") as raised:
        credentials_of(None, {**environment, "AWS_CONFIG_FILE": str(tmp_path / "no")})
    assert "SECRET" not in str(raised.value)


def test_the_environment_comes_before_files_and_a_named_profile_before_it(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    files = {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "no"),
    }
    assert credentials_of(None, files)[:2] == ("a", "b")
    assert credentials_of(None, {**files, "AWS_ACCESS_KEY_ID": "c"})[:2] == (None, None)
    assert credentials_of(None, {**files, "AWS_WEB_IDENTITY_TOKEN_FILE": "f"})[:2] == (None, None)
    assert credentials_of("default", {**files, "AWS_ACCESS_KEY_ID": "c"})[:2] == ("a", "b")
    assert region_of(None, {**files, "AWS_DEFAULT_REGION": "eu-west-3"}) == "eu-west-3"
    assert region_of(None, files) == "us-east-1"
    assert endpoint_of({"AWS_ENDPOINT_URL": "http://b/", "AWS_ENDPOINT_URL_S3": "http://a/"}) == "http://a"
    assert endpoint_of({}) is None


def test_without_any_credentials_the_message_says_where_they_were_looked_for(
    s3: S3Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No machine's identity is at this address.
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match=r"no credentials that work were found.*anonymous: true"):
        s3.connect(**KEYS).list()


def test_no_secret_is_in_what_is_shown_of_a_source(bucket: Bucket) -> None:
    connector = bucket.connect("docs")
    secret = {"s3": SECRET_KEY, "az": bucket.settings().get("account_key", "-")}.get(
        bucket.scheme, "no-secret"
    )
    shown = [repr(connector.settings), connector.probe(), connector.home(), connector.url("a.md")]
    assert not any(str(secret) in text for text in shown)
