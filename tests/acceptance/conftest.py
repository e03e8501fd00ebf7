"""A headless Chromium, controlled over a pipe; tests that use it are skipped if none is installed."""

import json
import os
import shutil
import subprocess
import time

import pytest

KEYS = {
    "Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "PageUp": 33, "PageDown": 34, "End": 35, "Home": 36,
    "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40,
}  # fmt: skip


class Browser:
    """One tab of Chromium.

    ``errors`` has console messages and exceptions, ``requests`` the addresses of requests.

    Protocol: chromedevtools.github.io/devtools-protocol, messages ended by a zero byte on descriptors 3 and 4.
    """

    def __init__(self, program, folder):
        (read, self._out), (self._in, write) = os.pipe(), os.pipe()
        self._process = subprocess.Popen(
            [
                "bash", "-c", f'exec 3<&{read} 4>&{write}; exec "$0" "$@"', program, "--headless", "--no-sandbox",
                "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={folder}", "about:blank",
            ],
            pass_fds=(read, write), stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(read), os.close(write)
        self._count, self._buffer, self._session = 0, b"", None
        self.errors, self.requests = [], []
        (target,) = [t for t in self("Target.getTargets")["targetInfos"] if t["type"] == "page"]
        self._session = self("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self(f"{domain}.enable")

    def __call__(self, method, **params):
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self):
        while b"\0" not in self._buffer:
            self._buffer += os.read(self._in, 1 << 16)
        message, self._buffer = self._buffer.split(b"\0", 1)
        message = json.loads(message)
        method, params = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"].get("exception", {}).get("description", "thrown"))
        elif method == "Runtime.consoleAPICalled" or method == "Log.entryAdded":
            self.errors.append(json.dumps(params))
        return message

    def open(self, address, width=1440, height=900, reduced=False):
        self.resize(width, height)
        motion = {"name": "prefers-reduced-motion", "value": "reduce" if reduced else "no-preference"}
        self("Emulation.setEmulatedMedia", features=[motion])
        self("Page.navigate", url="about:blank")
        self("Page.navigate", url=address)
        self.errors, self.requests = [], []
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")
        self.wait_for_drawing()

    def resize(self, width, height):
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def evaluate(self, expression):
        answer = self("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, condition, tries=600):
        for _ in range(tries):
            if self.evaluate(condition):
                return
            time.sleep(0.02)
        raise AssertionError(f"the condition never became true: {condition}")

    def wait_for_drawing(self):
        """Waits two frames, until pending changes are drawn."""
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")

    def key(self, key, shift=False):
        text = {"Enter": "\r", " ": " "}.get(key, key if len(key) == 1 else "")
        params = {"key": key, "windowsVirtualKeyCode": KEYS.get(key, ord(key[0].upper())), "modifiers": 8 * shift}
        self("Input.dispatchKeyEvent", type="keyDown", **params, **({"text": text} if text else {}))
        self("Input.dispatchKeyEvent", type="keyUp", **params)
        self.wait_for_drawing()

    def mouse(self, kind, x, y):
        button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
        self("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def click(self, x, y):
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.mouse(kind, x, y)
        self.wait_for_drawing()

    def close(self):
        self._session = None
        os.write(self._out, b'{"id": 0, "method": "Browser.close"}\0')
        self._process.wait(20)
        os.close(self._out), os.close(self._in)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    browser = Browser(program, tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()
