"""The daemon's service manager: starts it, and knows by systemd's notification protocol when it is ready."""

import json
import signal
import socket
import time

from peers import LIMIT, Failure


class Manager:
    """Stands in for systemd: starts the daemon and receives its notifications."""

    def __init__(self, stage):
        self.stage = stage
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(stage.path("notify.sock"))
        self.socket.settimeout(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def start(self, binary, last_runs=None):
        """Starts the daemon; answers it and the seconds until it was ready.

        Where `last_runs` is given, ready means that it also shows the last run of so many jobs.
        """
        begun = time.monotonic()
        daemon = self.stage.launch(binary, "daemon", NOTIFY_SOCKET=self.stage.path("notify.sock"))
        self.wait_for("READY=1", daemon)
        return daemon, self.shown(daemon, last_runs) - begun

    def reload(self, daemon, last_runs=None):
        """Has the daemon read its configuration again; answers the seconds until it was ready again."""
        begun = time.monotonic()
        daemon.send_signal(signal.SIGHUP)
        # What was sent before the signal arrived is not meant.
        self.wait_for("RELOADING=1", daemon)
        self.wait_for("READY=1", daemon)
        return self.shown(daemon, last_runs) - begun

    def wait_for(self, message, daemon):
        """Waits until the daemon sends this notification."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline:
            try:
                if message in self.socket.recv(65536).decode(errors="replace").split("\n"):
                    return
            except socket.timeout:
                self.check(daemon)
        raise Failure(f"the daemon did not send {message} within {LIMIT} s:\n{self.stage.said()}")

    def shown(self, daemon, last_runs):
        """When the daemon was first asked that showed the last run of so many jobs, by the clock that never jumps."""
        deadline = time.monotonic() + LIMIT
        found = 0
        while (asked := time.monotonic()) < deadline:
            if last_runs is None or (found := count_last_runs(self.stage)) == last_runs:
                return asked
            self.check(daemon)
            time.sleep(0.02)
        raise Failure(f"the daemon shows the last run of {found} jobs, not of {last_runs}:\n{self.stage.said()}")

    def check(self, daemon):
        if daemon.poll() is not None:
            raise Failure(f"the daemon ended with status {daemon.returncode}:\n{self.stage.said()}")


def count_last_runs(stage):
    """Of how many jobs the daemon shows a last run."""
    try:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(60)
            control.connect(stage.path("control", "control.sock"))
            control.sendall(b'{"version":1,"ask":"status"}\n')
            with control.makefile("rb") as lines:
                reply = json.loads(lines.readline())
    except (OSError, ValueError) as error:
        raise Failure(f"the daemon does not answer at its control socket: {error}") from error
    if "status" not in reply:
        raise Failure(f"the daemon does not show its status: {reply.get('error')}")
    return sum(1 for job in reply["status"]["jobs"] if job["last"] is not None)
