"""A real browser: Chromium without a window, driven by chromedriver (W3C WebDriver over HTTP on loopback)."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

#: Key of an element in answers, and of some keys.
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
TAB, ENTER, SPACE = "\ue004", "\ue007", " "

_OPTIONS = {
    "args": [
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *("--disable-background-networking", "--no-first-run", "--hide-scrollbars", "--lang=en"),
    ]
}


class Browser:
    """A session. What goes wrong in it is an AssertionError with the browser's own words."""

    def __init__(self, port: int) -> None:
        self._server = f"http://127.0.0.1:{port}"
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": _OPTIONS,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{made['sessionId']}"

    def _ask(self, method: str, path: str, values: object | None = None) -> Any:
        request = urllib.request.Request(
            self._server + path,
            method=method,
            data=None if values is None else json.dumps(values).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def _post(self, path: str, **values: object) -> Any:
        return self._ask("POST", self._session + path, values)

    def open(self, page: Path, fragment: str = "") -> None:
        """Load a file anew."""
        self._post("/url", url="about:blank")
        self._post("/url", url=page.resolve().as_uri() + fragment)

    def run(self, script: str, *arguments: object) -> Any:
        """What a function with this body returns; it runs outside of the page's policy."""
        return self._post("/execute/sync", script=script, args=list(arguments))

    def find(self, selector: str) -> str:
        found: str = self._post("/element", using="css selector", value=selector)[_ELEMENT]
        return found

    def click(self, selector: str) -> None:
        self._post(f"/element/{self.find(selector)}/click")

    def type(self, selector: str, text: str) -> None:
        self._post(f"/element/{self.find(selector)}/value", text=text)

    def press(self, *keys: str) -> None:
        """Keys for whatever has the focus."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._post("/actions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def until(self, script: str, *arguments: object) -> Any:
        """The first true value of an expression; it is asked for again and again."""
        end = time.monotonic() + 30
        while not (value := self.run(f"return {script}", *arguments)):
            assert time.monotonic() < end, f"It never came: {script}"
            time.sleep(0.02)
        return value

    def complaints(self) -> list[str]:
        """What the console got since it was asked last."""
        return [entry["message"] for entry in self._post("/se/log", type="browser")]

    def devtools(self, command: str, **parameters: object) -> Any:
        return self._post("/goog/cdp/execute", cmd=command, params=parameters)

    def size(self, width: int, height: int) -> None:
        """The size of the view, as a phone or a desktop has it."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    def media(self, kind: str = "", **features: str) -> None:
        """The medium (``print``), and features such as ``prefers_color_scheme="dark"``."""
        values = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.devtools("Emulation.setEmulatedMedia", media=kind, features=values)

    def scripts(self, *, on: bool) -> None:
        self.devtools("Emulation.setScriptExecutionDisabled", value=not on)

    def pdf(self) -> bytes:
        return base64.b64decode(self._post("/print"))

    def picture(self, *, whole: bool = True) -> bytes:
        shot = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(shot["data"])

    def close(self) -> None:
        self._ask("DELETE", self._session)


@contextmanager
def started() -> Iterator[Browser]:
    """A browser. The test is skipped where there is none."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if missing:
        pytest.skip(f"needs {' and '.join(missing)}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    driver = subprocess.Popen(
        ["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        session = _session(port)
        try:
            yield session
        finally:
            session.close()
    finally:
        driver.terminate()
        driver.wait(30)


def _session(port: int) -> Browser:
    end = time.monotonic() + 30
    while True:
        try:
            return Browser(port)
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < end, "chromedriver does not answer"
            time.sleep(0.05)
