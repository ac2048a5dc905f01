"""A page of Home Assistant as a person sees it: Chromium without a window, over its DevTools protocol."""

import base64
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

from server import eventually, free_port
from websocket import WebSocket

# All nodes of the page, also those within shadow roots.
NODES = """(() => {
  const nodes = [];
  const walk = node => {
    nodes.push(node);
    if (node.shadowRoot) walk(node.shadowRoot);
    if (node.tagName !== 'STYLE' && node.tagName !== 'SCRIPT') node.childNodes.forEach(walk);
  };
  walk(document.body);
  return nodes;
})()"""
TEXT = NODES + ".filter(node => node.nodeType === 3).map(node => node.data).join(' ').replace(/\\s+/g, ' ')"
# What Home Assistant puts where a card should be, or instead of an entity's row.
ERRORS = NODES + """.filter(node => /^HUI-(ERROR|WARNING)/.test(node.tagName || ''))
  .map(node => (node.shadowRoot || node).textContent.replace(/\\s+/g, ' ').trim() || node.tagName)"""
HEIGHT = NODES + """.filter(node => /^HUI-(SECTIONS|MASONRY|PANEL)-VIEW$/.test(node.tagName || ''))
  .map(node => node.getBoundingClientRect().bottom)[0]"""
# The middle of the last visible element that says exactly this.
PLACE = "(text => " + NODES + """.filter(node => node.children && node.getBoundingClientRect
    && [...node.childNodes].filter(child => child.nodeType === 3).map(child => child.data.trim()).join('') === text)
  .map(node => node.getBoundingClientRect()).filter(box => box.width && box.height)
  .map(box => [box.x + box.width / 2, box.y + box.height / 2]).pop())(%s)"""


class Browser:
    """A browser in which the owner of a Home Assistant is logged in. To be used in `with`."""

    def __init__(self, home):
        self._home = home

    def __enter__(self):
        self._profile = tempfile.mkdtemp(prefix="browser-")
        port = free_port()
        program = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
        self._process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-default-apps", "--force-color-profile=srgb", "--proxy-server=direct://",
             "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", f"--user-data-dir={self._profile}",
             f"--remote-debugging-port={port}", "--remote-allow-origins=*", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            self._open(port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def _open(self, port):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def tab():
            tabs = json.load(opener.open(f"http://127.0.0.1:{port}/json", timeout=5))
            return next((tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"), None)

        address = eventually("Chromium", tab)
        self._socket = WebSocket(port, address[address.index("/devtools"):])
        self._number = 0
        self._call("Page.enable")
        tokens = {"hassUrl": self._home.url, "clientId": self._home.url + "/", "access_token": self._home.token,
                  "refresh_token": "", "token_type": "Bearer", "expires_in": 86400,
                  "expires": int((time.time() + 86400) * 1000)}
        remember = {"hassTokens": json.dumps(tokens), "dockedSidebar": '"always_hidden"'}
        self._call("Page.addScriptToEvaluateOnNewDocument", source=(
            f"if (location.origin === {json.dumps(self._home.url)}) Object.assign(localStorage, {json.dumps(remember)})"))

    def _call(self, method, **parameters):
        self._number += 1
        self._socket.send({"id": self._number, "method": method, "params": parameters})
        while True:
            message = self._socket.receive()
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]

    def _script(self, source):
        return self._call("Runtime.evaluate", expression=source, returnByValue=True)["result"].get("value")

    def visit(self, path, text, width, dark=False):
        """Opens a page, as wide as told and as high as its content, and waits until it says something."""
        size = {"width": width, "deviceScaleFactor": 1, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", height=900, **size)
        scheme = "dark" if dark else "light"
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._call("Page.navigate", url=self._home.url + path)
        eventually(f"{text!r} on {path}", lambda: text in (self._script(TEXT) or ""))
        self.settle()
        height = self._script(HEIGHT)
        if height:
            self._call("Emulation.setDeviceMetricsOverride", height=int(height) + 1, **size)
            self.settle()

    def settle(self):
        """Waits until the page has looked the same for a while: graphs are drawn after their data came."""
        last, same = None, 0

        def still():
            nonlocal last, same
            picture = self._call("Page.captureScreenshot", format="jpeg", quality=30)["data"]
            same = same + 1 if picture == last else 0
            last = picture
            return same >= 5

        eventually("a page that is still", still)

    def click(self, text):
        """Clicks on the element that says exactly this."""
        x, y = eventually(f"something called {text!r}", lambda: self._script(PLACE % json.dumps(text)))
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def says(self, text):
        """Waits until the page says something."""
        eventually(f"{text!r}", lambda: text in (self._script(TEXT) or ""))

    def text(self):
        """All the page says."""
        return self._script(TEXT)

    def errors(self):
        """What stands where cards should be."""
        return self._script(ERRORS)

    def picture(self, path):
        """Writes what is seen as PNG."""
        data = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=False)["data"]
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
