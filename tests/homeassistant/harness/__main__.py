"""Starts and drives a real Home Assistant for a test.

    python3 harness INSTALL

Reads requests from standard input, one JSON array `[name, arguments]` a line, and answers each with a line of JSON,
`{"ok": ...}` or `{"error": "..."}`. The end of its input ends it, and Home Assistant with it.
"""

import json
import signal
import sys
import tempfile

from browser import Browser
from server import HomeAssistant


class Requests:
    """Each public method is a request."""

    def __init__(self, home):
        self._home = home

    def write(self, path, text):
        """Writes a file of its configuration."""
        self._home.write(path, text)

    def start(self, broker, configuration=""):
        """Starts Home Assistant, with this added to its configuration.yaml, and gives it the MQTT broker on a port."""
        self._home.write("configuration.yaml", configuration, "a")
        self._home.start()
        self._home.add_broker(broker)
        return {"url": self._home.url, "version": self._home.http("GET", "/api/config")["version"]}

    def stop(self):
        """Ends it as its owner would."""
        self._home.stop()

    def resume(self):
        """Starts it again."""
        self._home.start()

    def http(self, method, path, body=None):
        """A request to its REST API."""
        return self._home.http(method, path, body)

    def ws(self, kind, arguments=None):
        """A command of its WebSocket API."""
        return self._home.ws(kind, **(arguments or {}))

    def mark(self):
        """Where the log ends."""
        return self._home.mark()

    def problems(self, mark):
        """What it has complained about since a mark."""
        return self._home.problems(mark)

    def page(self, path, text, picture, width, dark=False, clicks=()):
        """Opens a page that says `text`, makes the clicks, and tells what it says and which cards are broken.

        Each click is `[what to click, what the page says then]`. The picture is taken before the last of them.
        """
        with Browser(self._home) as browser:
            browser.visit(path, text, width, dark)
            for number, (place, answer) in enumerate(clicks):
                if number == len(clicks) - 1:
                    browser.settle()
                    browser.picture(picture)
                browser.click(place)
                browser.says(answer)
            if not clicks:
                browser.picture(picture)
            return {"text": browser.text(), "errors": browser.errors()}


def main():
    with tempfile.TemporaryDirectory(prefix="homeassistant-") as folder:
        home = HomeAssistant(sys.argv[1], folder)
        # So that the folder goes and nothing is left running.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        requests = Requests(home)
        try:
            for line in sys.stdin:
                name, arguments = json.loads(line)
                try:
                    answer = {"ok": getattr(requests, name)(*arguments)}
                except Exception as error:  # Whatever it was, the test is told and decides.
                    answer = {"error": f"{name}: {error or type(error).__name__}"}
                print(json.dumps(answer), flush=True)
        finally:
            home.kill()


main()
