"""Settings: the library's own keys, checked without the library, and credentials that nothing shows."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from connectors.base import Context, SourceUnavailable
from connectors.ingest import IngestConnector, IngestSettings
from connectors.ingest.keys import KEYS, REFUSED, SERVICES, ServiceName
from connectors.ingest.links import home, link
from tests.connectors.ingest.conftest import CONFLUENCE, NOTION, SHAREPOINT

WHOLE: dict[ServiceName, dict[str, Any]] = {
    "confluence": CONFLUENCE,
    "sharepoint": SHAREPOINT,
    "onedrive": {
        "tenant": "t",
        "user_pname": "anna@x.example",
        "client_id": "c",
        "client_cred": "s3cret-value-1",
    },
    "google_drive": {"drive_id": "1AbC", "oauth_token": "ya29.s3cret-value-2"},
    "notion": NOTION,
    "jira": {"url": "https://acme.atlassian.net", "token": "s3cret-value-3", "projects": ["OPS"]},
    "slack": {"token": "xoxb-s3cret-value-4", "channels": ["C0123"]},
    "zendesk": {"subdomain": "acme", "email": "a@x.example", "api_token": "s3cret-value-5"},
}


def settings(service: str, given: dict[str, Any]) -> IngestSettings:
    return IngestSettings.model_validate({"connector": service, "settings": given})


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_made_of_its_settings_and_asked_for_nothing_by_that(
    service: ServiceName, tmp_path: Path
) -> None:
    given = settings(service, WHOLE[service])
    connector = IngestConnector(given, Context("tail", tmp_path, 1_000))
    connector._service()
    connector.close()
    assert "://" in home(given)
    assert len({link(given, uri) for uri in ("a/b~1", "a/b~2", "a/c.txt")}) == 3


@pytest.mark.parametrize(
    ("service", "given", "parts"),
    [
        ("slack", {"channels": ["C1", "C2"]}, [("channels", ["C1"]), ("channels", ["C2"])]),
        ("zendesk", {"item_type": "all"}, [("item_type", "articles"), ("item_type", "tickets")]),
        ("zendesk", {"item_type": "tickets"}, [("item_type", "tickets")]),
        (
            "jira",
            {"boards": ["7", "8"], "projects": ["OPS", "KB"], "issues": ["X-1"]},
            [("boards", ["7"]), ("boards", ["8"]), ("issues", ["X-1"]), ("projects", ["OPS", "KB"])],
        ),
    ],
)
def test_what_may_be_refused_for_itself_is_asked_for_by_itself(
    service: ServiceName, given: dict[str, Any], parts: list[tuple[str, Any]], tmp_path: Path
) -> None:
    connector = IngestConnector(
        settings(service, {**WHOLE[service], **given}), Context("tail", tmp_path, 1_000)
    )
    made: Any = connector._service()
    found = [indexer.index_config for _, indexer in made.indexers()]
    assert [getattr(config, key) for config, (key, _) in zip(found, parts, strict=True)] == [
        values for _, values in parts
    ]
    for config, (key, _) in zip(found, parts, strict=True):
        assert not any(getattr(config, name, None) for name in {"boards", "issues", "projects"} - {key})
    connector.close()


@pytest.mark.parametrize("service", SERVICES)
def test_the_keys_are_those_of_the_library(service: ServiceName) -> None:
    """None is forgotten: each is known, or refused with a reason."""
    import unstructured_ingest.processes.connectors  # noqa: F401
    from unstructured_ingest.processes.connector_registry import source_registry

    entry = source_registry[service]
    (access,) = get_args(entry.connection_config.model_fields["access_config"].annotation)
    keys = KEYS[service]
    theirs = {
        *(set(entry.connection_config.model_fields) - {"access_config"}),
        *entry.indexer_config.model_fields,
        *entry.downloader_config.model_fields,
        *access.model_fields,
    }
    assert keys.known <= theirs
    assert theirs - keys.known <= REFUSED.keys()


def test_keys_stand_in_the_blocks_of_the_library_or_side_by_side() -> None:
    flat = settings("confluence", CONFLUENCE)
    blocks = settings(
        "confluence",
        {
            "connection_config": {
                "url": CONFLUENCE["url"],
                "username": CONFLUENCE["username"],
                "cloud": True,
                "access_config": {"api_token": CONFLUENCE["api_token"]},
            },
            "indexer_config": {},
        },
    )
    assert blocks.blocks() == flat.blocks()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({**CONFLUENCE, "spacess": ["KB"]}, "unknown key spacess; did you mean spaces?"),
        ({**CONFLUENCE, "indexer_config": {"url": "x"}}, "unknown key indexer_config.url"),
        ({**CONFLUENCE, "max_num_of_docs_from_each_space": 5}, "all pages are listed"),
        ({**CONFLUENCE, "download_dir": "/tmp"}, "download_dir, which is not for you to set"),
        ({**CONFLUENCE, "connection_config": {"url": "y"}}, "has url twice"),
        ({**CONFLUENCE, "api_token": 12345678}, "api_token that is no text"),
        ({"username": "a"}, "lacks url, which confluence needs"),
        ({**CONFLUENCE, "url": ""}, "lacks url"),
        ({**CONFLUENCE, "url": "acme.atlassian.net"}, "has a url that does not begin with http://"),
    ],
)
def test_wrong_settings_are_named_without_their_values(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as raised:
        settings("confluence", given)
    (error,) = raised.value.errors()
    assert said in error["msg"]
    assert CONFLUENCE["api_token"] not in error["msg"]


def test_an_unknown_service_is_refused() -> None:
    with pytest.raises(ValidationError, match="confluence"):
        settings("sharedpoint", {})


def test_what_only_the_library_can_tell_is_said_when_the_source_is_asked(tmp_path: Path) -> None:
    given = settings("confluence", {**CONFLUENCE, "password": "another-s3cret"})
    connector = IngestConnector(given, Context("tail", tmp_path, 1_000))
    with pytest.raises(SourceUnavailable, match="both password and api_token") as raised:
        connector.probe()
    assert "another-s3cret" not in str(raised.value)


@pytest.mark.parametrize("service", SERVICES)
def test_no_credential_is_shown(service: ServiceName) -> None:
    given = settings(service, WHOLE[service])
    assert given.secrets
    for text in (repr(given), str(given), given.model_dump_json(), json.dumps(given.model_dump(mode="json"))):
        assert not any(secret in text for secret in given.secrets)
    blocks = given.blocks()["access_config"]
    assert set(given.secrets) == {value for value in blocks.values() if isinstance(value, str)}


def test_the_private_key_of_a_service_account_is_a_credential() -> None:
    key = {"type": "service_account", "client_email": "a@x.example", "private_key": "-----BEGIN s3cret"}
    for written in (key, json.dumps(key)):
        given = settings("google_drive", {"drive_id": "1AbC", "service_account_key": written})
        assert given.secrets == ["-----BEGIN s3cret"]
        assert "s3cret" not in repr(given)
        assert given.blocks()["access_config"]["service_account_key"] == key


def test_a_configuration_with_such_a_source_imports_none_of_its_packages() -> None:
    program = f"""
import sys
from connectors.ingest import IngestConnector, IngestSettings
from connectors.base import Context
from pathlib import Path
given = IngestSettings.model_validate({{"connector": "confluence", "settings": {CONFLUENCE!r}}})
connector = IngestConnector(given, Context("tail", Path("/"), 1))
connector.url("KB/a~1"), connector.home()
connector.close()
heavy = {{"unstructured_ingest", "requests", "httpx", "office365", "atlassian", "opentelemetry", "sqlite3"}}
print(sorted(heavy & set(sys.modules)))
"""
    import subprocess

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("[]", "['sqlite3']")
