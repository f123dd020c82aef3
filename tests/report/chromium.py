"""A real browser for tests: Chromium without a window, told what to do by its DevTools protocol.

As little as the tests need: open a page, emulate a medium, ask for the value of an expression,
press a key, take a picture. Where no Chromium is on the PATH (`CHROMIUM` names one elsewhere),
tests that want one are skipped.
"""

import base64
import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import orjson
import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # in containers there is no room for one; the pages are our own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
)
REPLY_S_MAX, PHONE_PX = 60.0, 600
KEYS = {"Tab": 9, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39, "ArrowDown": 40}


@cache
def chromium() -> str | None:
    """Where one is that starts, None where there is none; some systems have a stub of that name."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [path for name in NAMES if (path := shutil.which(name))]
    return next((path for path in found if _starts(path)), None)


def _starts(program: str) -> bool:
    asked = [program, "--version"]
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


class Browser:
    """One browser with one page.

    Args:
        program: Where Chromium is.
        folder: For its profile.
    """

    def __init__(self, program: str, folder: Path) -> None:
        """Start it, and connect."""
        command = [program, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._numbers = itertools.count(1)
        self.problems: list[str] = []
        """What the console said, and what was asked of a network."""
        self._socket = websocket.create_connection(self._address(), timeout=REPLY_S_MAX)
        targets = self._send("Target.getTargets")["targetInfos"]
        page = next(each["targetId"] for each in targets if each["type"] == "page")
        attached = {"targetId": page, "flatten": True}
        self._session: str | None = self._send("Target.attachToTarget", attached)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self._send(f"{domain}.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self._socket.close()
        self._process.terminate()
        self._process.wait(REPLY_S_MAX)
        assert self._process.stderr is not None
        self._process.stderr.close()

    def open(
        self, page: Path, *, width: int = 1280, scheme: str = "light", script: bool = True
    ) -> None:
        """Open a file in a viewport of this width, in light or dark, and wait until it is there."""
        self.problems.clear()
        self._width = width
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < PHONE_PX}
        self._send("Emulation.setDeviceMetricsOverride", size)
        self._send("Emulation.setScriptExecutionDisabled", {"value": not script})
        self.scheme(scheme)
        self._send("Page.navigate", {"url": page.resolve().as_uri()})
        self._wait("Page.loadEventFired")

    def scheme(self, name: str) -> None:
        """Like light, or dark."""
        features = [{"name": "prefers-color-scheme", "value": name}]
        self._send("Emulation.setEmulatedMedia", {"features": features})

    def value(self, expression: str) -> Any:
        """What an expression of JavaScript comes to; promises are awaited."""
        asked = {"expression": expression, "returnByValue": True, "awaitPromise": True}
        answer = self._send("Runtime.evaluate", asked)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            told = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
            self._send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **told})
            self._send("Input.dispatchKeyEvent", {"type": "keyUp", **told})

    def point(self, x: float, y: float) -> None:
        """Move the mouse there, in pixels of the viewport."""
        self._send("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y})

    def picture(self) -> bytes:
        """PNG of all of the page, however long."""
        size = self._send("Page.getLayoutMetrics")["cssContentSize"]
        tall = {"width": self._width, "height": round(size["height"]), "deviceScaleFactor": 1}
        phone = self._width < PHONE_PX
        self._send("Emulation.setDeviceMetricsOverride", {**tall, "mobile": phone})
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        asked = {"captureBeyondViewport": True, "clip": clip}
        return base64.b64decode(self._send("Page.captureScreenshot", asked)["data"])

    def paper(self) -> bytes:
        """PDF of the page."""
        return base64.b64decode(self._send("Page.printToPDF", {"printBackground": True})["data"])

    def tree(self) -> Sequence[Mapping[str, Any]]:
        """What a screen reader is told: the nodes of the accessibility tree."""
        nodes: Sequence[Mapping[str, Any]] = self._send("Accessibility.getFullAXTree")["nodes"]
        return nodes

    def _address(self) -> str:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if found := re.search(r"DevTools listening on (ws://\S+)", line):
                return found[1]
        raise AssertionError("Chromium ended before it listened")

    def _send(self, method: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        number = next(self._numbers)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters or {}}
        if session := getattr(self, "_session", None):
            message["sessionId"] = session
        self._socket.send(orjson.dumps(message).decode())
        while (answer := self._receive()).get("id") != number:
            pass
        assert "error" not in answer, answer["error"]
        result: dict[str, Any] = answer["result"]
        return result

    def _wait(self, event: str) -> None:
        while self._receive().get("method") != event:
            pass

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = orjson.loads(self._socket.recv())
        parameters = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                if not (url := parameters["request"]["url"]).startswith(("file:", "data:")):
                    self.problems.append(f"asked for {url}")
            case "Log.entryAdded":
                self.problems.append(parameters["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.problems.append(str(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.problems.append(str(parameters["args"]))
        return message
