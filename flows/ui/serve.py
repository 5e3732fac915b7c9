"""The owners' page as a server."""

from __future__ import annotations

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import uvicorn

from flows.ui.access import gate
from flows.ui.app import OwnersPage
from flows.ui.board import Board
from flows.ui.owners import Owners
from index.actor import login
from index.errors import ConfigError
from index.workspace import Workspace


def serve(workspace: Workspace, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve until interrupted; `tell` is given the address once it can be opened. Raises ConfigError for one
    that cannot be listened at."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except (OSError, UnicodeError) as error:
            said = getattr(error, "strerror", None) or error
            raise ConfigError(f"The page cannot listen at {host}, port {port}: {said}.") from error
        listening.listen()
        shown = f"[{host}]" if ":" in host else host
        tell(f"http://{shown}:{listening.getsockname()[1]}/")
        settings = uvicorn.Config(
            owners_page(workspace, host).application(),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        uvicorn.Server(settings).run([listening])


def owners_page(workspace: Workspace, host: str) -> OwnersPage:
    config, keys = workspace.config, workspace.ledger.tombstones.keys()
    owners = Owners(workspace)
    board = Board(workspace, owners.of)
    secret = keys.links()
    admitted = gate(secret, login(), host, config.ui.user_header, config.ui.proxies, config.ui.address)
    root = urlsplit(config.ui.address).path
    return OwnersPage(
        board, admitted, config.name, lambda hashed: owners.person(hashed, board.owners()), root
    )
