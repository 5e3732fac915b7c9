"""The keys of `settings`, by service: those of the library's own blocks, known without importing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

ServiceName = Literal[
    "confluence", "sharepoint", "onedrive", "google_drive", "notion", "jira", "slack", "zendesk"
]
SERVICES: tuple[ServiceName, ...] = get_args(ServiceName)

#: The library's blocks that keys may stand in. They may also stand side by side, without blocks.
BLOCKS = ("connection_config", "access_config", "indexer_config", "downloader_config")


@dataclass(frozen=True, slots=True)
class Keys:
    connection: frozenset[str]
    access: frozenset[str]
    """Credentials: all of them are secret."""
    index: frozenset[str]
    required: frozenset[str] = frozenset()

    @property
    def known(self) -> frozenset[str]:
        return self.connection | self.access | self.index

    def of(self, block: str) -> frozenset[str]:
        """The keys of one of BLOCKS."""
        return {
            "connection_config": self.connection,
            "access_config": self.access,
            "indexer_config": self.index,
        }.get(block, frozenset())


def _keys(connection: str, access: str, index: str, required: str = "") -> Keys:
    return Keys(*(frozenset(names.split()) for names in (connection, access, index, required)))


_MICROSOFT = "client_cred password oauth_token"

KEYS: dict[ServiceName, Keys] = {
    "confluence": _keys(
        "url cloud_id username cloud", "password api_token token oauth_token", "spaces", required="url"
    ),
    "sharepoint": _keys(
        "client_id user_pname tenant authority_url site library",
        _MICROSOFT,
        "path recursive team_id channels",
        required="tenant",
    ),
    "onedrive": _keys(
        "client_id user_pname tenant authority_url",
        _MICROSOFT,
        "path recursive",
        required="tenant user_pname",
    ),
    "google_drive": _keys(
        "drive_id",
        "service_account_key service_account_key_path oauth_token",
        "extensions recursive",
        required="drive_id",
    ),
    "notion": _keys("", "notion_api_key", "page_ids database_ids recursive", required="notion_api_key"),
    "jira": _keys(
        "url cloud_id username cloud",
        "password token oauth_token",
        "projects boards issues status_filters",
        required="url",
    ),
    "slack": _keys("", "token", "channels start_date end_date", required="token channels"),
    "zendesk": _keys("subdomain email", "api_token", "item_type", required="subdomain email api_token"),
}

#: Keys of the library that are not for users of freshkb → why.
REFUSED = {
    "max_num_of_spaces": "is not needed: all spaces are listed",
    "max_num_of_docs_from_each_space": "is not needed: all pages are listed",
    "max_num_metadata_permissions": "has no use: permissions are not mirrored",
    "refresh_token": "is not used: the library renews no token; give credentials that last",
    "download_dir": "is not for you to set: a download has a folder of its own, and is removed",
    "extract_images": "is not supported: a document is one text",
    "extract_files": "is not supported: a document is one text; attachments are no documents",
    "force_download": "is not supported: a document is one text",
    "allow_list": "is not supported: a document is one text",
    "download_attachments": "is not supported: a document is one text; attachments are no documents",
    "max_retries": "is not for you to set: each request is tried four times",
    "lro_max_tries": "is not for you to set",
    "lro_max_time": "is not for you to set",
}
