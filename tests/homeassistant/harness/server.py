"""A real Home Assistant: its files, its process, its HTTP and WebSocket APIs, and its log."""

import json
import os
import platform
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from websocket import WebSocket

PATIENCE = 180

CONFIGURATION = """\
homeassistant:
  name: Home
  latitude: 52.0
  longitude: 5.0
  elevation: 0
  unit_system: metric
  time_zone: UTC
  currency: EUR
  country: NL
  internal_url: {url}
  external_url: {url}
frontend:
config:
history:
logbook:
recorder:
  commit_interval: 1
logger:
  default: warning
  logs:
    homeassistant.components.mqtt: info
automation: !include automations.yaml
"""

LINE = re.compile(r"^\S+ \S+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) \([^)]*\) \[([^\]]+)\] (.*)")

# Everything that a publisher of discovery, a blueprint or a dashboard can make Home Assistant complain about.
CONCERNED = re.compile(
    r"^homeassistant\.(components\.(mqtt|sensor|binary_sensor|button|event|device_automation|automation|blueprint|script"
    r"|template|lovelace|history|recorder)(\.|$)"
    r"|helpers\.(condition|entity|entity_platform|entity_registry|device_registry|template|event|frame|service|script|trigger)"
    r"|util\.json)")
# What its MQTT integration thinks wrong but says in a low voice.
MURMURS = re.compile(r"No matching payload found|always needs to include a name|Group member update received")


class Refused(RuntimeError):
    """Home Assistant said no."""


def eventually(what, condition):
    """Asks until there is an answer."""
    begun = time.monotonic()
    while True:
        try:
            answer = condition()
            if answer:
                return answer
        except (OSError, Refused) as error:
            answer = error
        if time.monotonic() - begun > PATIENCE:
            raise TimeoutError(f"never happened: {what}; last seen: {answer!r}")
        time.sleep(0.1)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class HomeAssistant:
    """One instance in a folder of its own. A person has finished its first steps and has added nothing."""

    def __init__(self, install, folder):
        self._root = os.path.join(install, "root")
        self._folder = folder
        self._log = os.path.join(folder, "log")
        self._process = None
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = None
        self._config = os.path.join(folder, "config")
        for path, text in self._files().items():
            self.write(path, text)

    def write(self, path, text, mode="w"):
        """Writes a file of its configuration, or with mode `a` adds to it."""
        path = os.path.join(self._config, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, mode, encoding="utf-8") as file:
            file.write(text)

    def _files(self):
        def stored(key, version, data):
            return json.dumps({"version": version, "minor_version": 1, "key": key, "data": data})

        return {
            "configuration.yaml": CONFIGURATION.format(url=self.url),
            "automations.yaml": "[]\n",
            # Where the web server listens is no longer a matter of configuration.yaml.
            ".storage/http": stored("http", 1, {"server_host": ["127.0.0.1"], "server_port": self.port}),
            # What is left is to make the owner; the other steps would look around in the network.
            ".storage/onboarding": stored("onboarding", 4, {"done": ["core_config", "analytics", "integration"]}),
        }

    # Its process.

    def start(self):
        library = os.path.join(self._root, "usr/lib", f"{platform.machine()}-linux-gnu")
        loader = next(name for name in os.listdir(library) if name.startswith("ld-linux-"))
        # The Python of another Debian, run where it lies: its own loader finds its own libraries.
        command = [os.path.join(library, loader), "--library-path", library, os.path.join(self._root, "usr/bin/python3.14"),
                   "-m", "homeassistant", "-c", self._config, "--skip-pip", "--log-no-color"]
        environment = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": self._folder,
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONHOME": os.path.join(self._root, "usr"),
            "PYTHONPATH": os.path.join(self._root, "opt/ha/lib/python3.14/site-packages"),
        }
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                command, env=environment, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually("Home Assistant's web server", self._serves)
        if self.token is None:
            self._become_owner()
        eventually("the end of its start", lambda: self.http("GET", "/api/config")["state"] == "RUNNING")

    def _serves(self):
        if self._process.poll() is not None:
            with open(self._log, encoding="utf-8", errors="replace") as log:
                raise SystemExit("Home Assistant ended:\n" + "".join(log.readlines()[-30:]))
        return self.http("GET", "/manifest.json")

    def stop(self):
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def kill(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    # What a person does once.

    def _become_owner(self):
        client = self.url + "/"
        owner = {"client_id": client, "name": "Owner", "username": "owner", "password": "owner", "language": "en"}
        code = eventually("the owner's account", lambda: self.http("POST", "/api/onboarding/users", owner))["auth_code"]
        form = urllib.parse.urlencode({"grant_type": "authorization_code", "code": code, "client_id": client})
        self.token = self.http("POST", "/auth/token", form)["access_token"]
        self.token = self.ws("auth/long_lived_access_token", client_name="test", lifespan=30)

    def add_broker(self, port):
        """Adds the MQTT integration."""
        flows = "/api/config/config_entries/flow"
        flow = self.http("POST", flows, {"handler": "mqtt", "show_advanced_options": False})["flow_id"]
        result = self.http("POST", f"{flows}/{flow}", {
            "broker": "127.0.0.1", "port": port, "protocol": "5",
            "other_settings": {"set_client_cert": False, "set_ca_cert": "off", "transport": "tcp"}})
        if result.get("type") != "create_entry":
            raise Refused(f"the MQTT integration: {result}")

    # Its APIs.

    def http(self, method, path, body=None):
        """A request to its REST API. A body that is text is a form, any other is JSON."""
        form = isinstance(body, str)
        data = None if body is None else (body if form else json.dumps(body)).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        request.add_header("Content-Type", "application/x-www-form-urlencoded" if form else "application/json")
        if self.token is not None:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            raise Refused(f"{method} {path}: {error.code} {error.read()[:1000]!r}") from None

    def ws(self, kind, **arguments):
        """A command of its WebSocket API."""
        with WebSocket(self.port, "/api/websocket") as socket_:
            socket_.receive()
            socket_.send({"type": "auth", "access_token": self.token})
            if socket_.receive()["type"] != "auth_ok":
                raise Refused("the access token")
            socket_.send({"id": 1, "type": kind, **arguments})
            answer = socket_.receive()
            if not answer["success"]:
                raise Refused(f"{kind}: {answer['error']}")
            return answer["result"]

    # Its log.

    def mark(self):
        """Where the log ends now."""
        return os.path.getsize(self._log)

    def problems(self, mark):
        """What it has complained about since then."""
        with open(self._log, encoding="utf-8", errors="replace") as log:
            log.seek(mark)
            lines = log.read().splitlines()
        found = []
        belongs = False
        for line in lines:
            parts = LINE.match(line)
            if parts:
                level, logger, message = parts.groups()
                loud = level in ("WARNING", "ERROR", "CRITICAL") or MURMURS.search(message)
                belongs = bool(loud and CONCERNED.match(logger))
                if belongs:
                    found.append(line)
            elif belongs:
                found[-1] += "\n" + line
        return found
