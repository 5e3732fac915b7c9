"""Access to Microsoft Graph, as SharePoint and OneDrive share it."""

from __future__ import annotations

import time
from typing import Any

from office365.graph_client import GraphClient
from pydantic import PrivateAttr
from unstructured_ingest.processes.connectors.onedrive import OnedriveConnectionConfig
from unstructured_ingest.processes.connectors.sharepoint import SharepointConnectionConfig

from connectors.base import SourceUnavailable

#: A token is renewed when it has less than this left, in seconds.
_SPARE = 300


class _Asking:
    """Questions go through our session, and a token is used until it ends; the library asks for one each
    time."""

    authority_url: Any
    tenant: Any
    client_id: Any
    user_pname: Any
    access_config: Any
    _session: Any
    _token: Any
    _until: float

    def get_token(self) -> dict[str, Any]:
        if self._token is None or time.monotonic() > self._until:
            token = self._asked()
            self._until = time.monotonic() + float(token.get("expires_in", 3600)) - _SPARE
            self._token = token
        found: dict[str, Any] = self._token
        return found

    def _asked(self) -> dict[str, Any]:
        from msal import ConfidentialClientApplication

        access = self.access_config.get_secret_value()
        if access.oauth_token:
            return {"access_token": access.oauth_token, "token_type": "Bearer"}
        app = ConfidentialClientApplication(
            authority=f"{str(self.authority_url).rstrip('/')}/{self.tenant}",
            client_id=self.client_id,
            client_credential=access.client_cred,
            http_client=self._session,
        )
        scopes = ["https://graph.microsoft.com/.default"]
        if access.password:
            token = app.acquire_token_by_username_password(self.user_pname, access.password, scopes)
        else:
            token = app.acquire_token_for_client(scopes=scopes)
        if "access_token" not in token:
            raise SourceUnavailable(
                f"Microsoft refuses the credentials ({_word(token.get('error'))}): check tenant, client_id "
                "and its secret, and whether that has expired."
            )
        return dict(token)

    def forget(self) -> None:
        self._token = None

    def get_client(self) -> GraphClient:
        client = GraphClient(self.get_token)
        client.pending_request().with_transport(session=self._session)
        return client


def _word(said: object) -> str:
    return said if isinstance(said, str) and said.replace("_", "").isalnum() else "no reason given"


class OnedriveAccess(_Asking, OnedriveConnectionConfig):
    _session: Any = PrivateAttr(default=None)
    _token: Any = PrivateAttr(default=None)
    _until: float = PrivateAttr(default=0.0)


class SharepointAccess(_Asking, SharepointConnectionConfig):
    _session: Any = PrivateAttr(default=None)
    _token: Any = PrivateAttr(default=None)
    _until: float = PrivateAttr(default=0.0)

    def _get_drive_item(self, client_site: Any) -> Any:
        """The library falls back to the default drive when the one that was asked for is missing."""
        if not self.library:
            return client_site.drive.get().execute_query().root.get().execute_query()
        for drive in client_site.drives.get_all().execute_query():
            if drive.name == self.library:
                return drive.root.get().execute_query()
        raise SourceUnavailable(
            f"The site {self.site} has no library {self.library!r}, or the account may not see it. "
            "Check `library`."
        )
