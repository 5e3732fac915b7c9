"""Links that a person opens, from settings and uris alone. What a service says itself comes first."""

from __future__ import annotations

from urllib.parse import quote

from connectors.ingest.names import identifier
from connectors.ingest.settings import IngestSettings


def home(settings: IngestSettings) -> str:
    """Where a person finds the source as a whole."""
    given = settings.settings
    match settings.connector:
        case "confluence" | "jira":
            return str(given["url"]).rstrip("/")
        case "sharepoint":
            if given.get("site"):
                return str(given["site"]).rstrip("/")
            return f"https://teams.microsoft.com/l/team/{quote(str(given.get('team_id')), safe='')}"
        case "onedrive":
            return f"https://www.office.com/onedrive?user={quote(str(given['user_pname']), safe='')}"
        case "google_drive":
            return f"https://drive.google.com/drive/folders/{quote(str(given['drive_id']), safe='')}"
        case "notion":
            return "https://www.notion.so"
        case "slack":
            return "https://app.slack.com/client"
        case "zendesk":
            return f"https://{quote(str(given['subdomain']))}.zendesk.com"


def link(settings: IngestSettings, uri: str) -> str:
    """Where a person finds this document."""
    top, number = home(settings), identifier(uri)
    folder, _, name = uri.rpartition("/")
    match settings.connector:
        case "confluence" if number:
            return f"{top}/spaces/{quote(folder, safe='~')}/pages/{number}"
        case "jira":
            return f"{top}/browse/{quote(name.removesuffix('.txt'))}"
        case "notion" if number:
            return f"{top}/{number}"
        case "google_drive" if number := identifier(uri.rpartition(".")[0]) or number:
            return f"https://drive.google.com/open?id={number}"
        case "slack":
            channel, _, rest = uri.partition("/")
            return f"https://slack.com/archives/{quote(channel)}#{quote(rest)}"
        case "zendesk" if number:
            at = "agent/tickets" if folder == "tickets" else "hc/articles"
            return f"{top}/{at}/{number}"
    return f"{top}/{quote(uri)}" if "?" not in top else f"{top}&path={quote(uri)}"
