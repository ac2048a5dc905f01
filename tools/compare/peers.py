"""What both builds are measured against: simulated JetBackup servers behind a real sshd and the shipped gate.

A `Stage` owns everything a measurement starts or writes; leaving it ends all processes and removes all files.
"""

import ctypes
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GATE = os.path.join(ROOT, "gate", "jetbackup-ssh-gate.sh")
SIMULATOR = os.path.join(os.environ.get("CARGO_TARGET_DIR") or os.path.join(ROOT, "target"), "debug")
# How long anything may take that is not itself measured.
PATIENCE = 120
# How long a measured step may take. Only a build that never gets there reaches it.
LIMIT = 3 * 3600
PR_SET_CHILD_SUBREAPER = 36


class Failure(Exception):
    """A figure cannot be measured; the text says why."""


def build_simulator():
    """Builds the stand-in `jetbackup5api` and the examples that set it up and read its record."""
    command = ["cargo", "build", "--quiet", "--locked", "-p", "jetbackup-sim", "--bins", "--examples"]
    try:
        built = subprocess.run(command, cwd=ROOT, check=False)
    except OSError as error:
        raise Failure(f"cannot start cargo, which builds the simulator: {error}") from error
    if built.returncode != 0:
        raise Failure(f"the simulator could not be built: `{' '.join(command)}`")


class Stage:
    """A folder and the processes of one measurement."""

    def __init__(self, old):
        # Makes what both builds begin with.
        self.old = old
        # What loses its parent (a gate's command after its connection) becomes this process's child, so that it can
        # be found at the end.
        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise Failure(f"cannot become a subreaper: {os.strerror(ctypes.get_errno())}")
        self.folder = tempfile.mkdtemp(prefix="jetbackup-compare-")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end_descendants()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def configure(self, servers, jobs, **orchestrator):
        """Writes a configuration; what is not given has its default. Answers the file's path."""
        if not os.path.exists(self.path("key")):
            keygen(self.path("key"))
        user = pwd.getpwuid(os.geteuid()).pw_name
        config = {
            "ssh_key": self.path("key"),
            "servers": {name: {"host": "127.0.0.1", "port": port, "user": user} for name, port in servers},
            "jobs": [
                {"job_id": job, "server": server, "label": label, "type": "accounts"}
                for server, job, label in jobs
            ],
            "orchestrator": {
                "state_dir": self.path("state"),
                "control_socket": self.path("control", "control.sock"),
                "lock_file": self.path("python.lock"),
                "log_file": self.path("log"),
                **orchestrator,
            },
        }
        with open(self.path("config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)
        return self.path("config.json")

    def launch(self, binary, *words, **environment):
        """Starts the program with the configuration."""
        inherited = {name: value for name, value in os.environ.items() if name != "SSH_AUTH_SOCK"}
        output = open(self.path("output"), "ab")
        with output:
            return subprocess.Popen(
                [binary, "-c", self.path("config.json"), *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**inherited, "TZ": "UTC", **environment},
            )

    def said(self):
        """The end of what the program printed and logged, for an error message."""
        text = ""
        for name in ("output", "log"):
            try:
                with open(self.path(name), encoding="utf-8", errors="replace") as file:
                    text += file.read()[-2000:]
            except OSError:
                pass
        return text.strip() or "it said nothing"

    def end(self, process):
        """Ends the program as systemd would."""
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"it did not end within {PATIENCE} s of SIGTERM:\n{self.said()}") from error


class Server:
    """A simulated JetBackup behind sshd and the gate, in a folder of its own."""

    def __init__(self, stage, name):
        self.stage, self.name = stage, name
        os.makedirs(stage.path(name, "bin"))
        self.api = stage.path(name, "jetbackup5api")
        if not os.path.exists(stage.path("key")):
            keygen(stage.path("key"))

    @classmethod
    def simulated(cls, stage, name, seconds, jobs, finished=0):
        """One with jobs that take so many seconds, and so many finished groups of each in its queue."""
        server = cls(stage, name)
        command = [simulator("server"), stage.path(name), str(seconds), str(jobs), str(finished)]
        server.jobs = said(command, "set up the simulator").split()
        server.listen()
        return server

    @classmethod
    def hung(cls, stage, name, jobs):
        """One whose `jetbackup5api` never answers. Its sshd and its gate do."""
        server = cls(stage, name)
        server.jobs = [f"{number:024x}" for number in range(1, jobs + 1)]
        script(server.api, "#!/bin/sh\nexec sleep 2147483647\n")
        server.listen()
        return server

    def listen(self):
        """Starts sshd; the program's key leads to the gate and nowhere else."""
        def path(name):
            return self.stage.path(self.name, name)

        # Syslog is not part of what is measured.
        script(path("bin/logger"), "#!/bin/sh\n")
        with open(GATE, encoding="utf-8") as file:
            gate = file.read()
        for old, new in (
            ("\nAPI=/usr/bin/jetbackup5api\n", f"\nAPI={self.api}\n"),
            ("\nPATH=/usr/sbin:/usr/bin:/sbin:/bin\n", f"\nPATH={path('bin')}:/usr/sbin:/usr/bin:/sbin:/bin\n"),
        ):
            if gate.count(old) != 1:
                raise Failure(f"{GATE} must contain {old.strip()!r} exactly once to be led to the simulator")
            gate = gate.replace(old, new)
        script(path("gate.sh"), gate)
        keygen(path("host"))
        with open(self.stage.path("key.pub"), encoding="utf-8") as file:
            public = file.read()
        with open(path("authorized_keys"), "w", encoding="utf-8") as file:
            file.write(f'restrict,command="{path("gate.sh")} --allow log" {public}')
        self.port = free_port()
        with open(path("sshd_config"), "w", encoding="utf-8") as file:
            file.write(
                f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {path('host')}\nUsePAM no\nStrictModes no\n"
                f"PidFile none\nAuthorizedKeysFile {path('authorized_keys')}\nPasswordAuthentication no\n"
                f"KbdInteractiveAuthentication no\nPermitRootLogin yes\nSetEnv HOME={self.stage.path(self.name)}\n"
            )
        if os.geteuid() == 0:
            # sshd of root insists on this folder for its unprivileged half.
            os.makedirs("/run/sshd", exist_ok=True)
        with open(path("sshd.log"), "ab") as log:
            try:
                sshd = subprocess.Popen(
                    ["/usr/sbin/sshd", "-D", "-e", "-f", path("sshd_config")],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            except OSError as error:
                raise Failure(f"cannot start /usr/sbin/sshd; install openssh-server: {error}") from error
        until(f"sshd of {self.name} listens", lambda: self.is_listening(sshd, path("sshd.log")))

    def is_listening(self, sshd, log):
        if sshd.poll() is not None:
            with open(log, encoding="utf-8", errors="replace") as file:
                raise Failure(f"sshd ended with status {sshd.returncode}: {file.read()[-500:]}")
        with socket.socket() as attempt:
            return attempt.connect_ex(("127.0.0.1", self.port)) == 0

    def record(self):
        """What happened to the simulator: `calls` by function and `runs`."""
        return json.loads(said([simulator("record"), self.stage.path(self.name)], "read the simulator's record"))


def simulator(name):
    return os.path.join(SIMULATOR, "examples", name)


def said(command, purpose):
    """What a command prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Failure(f"cannot {purpose}: {error}") from error
    if done.returncode != 0:
        raise Failure(f"cannot {purpose}: {done.stderr.strip()}")
    return done.stdout


def keygen(path):
    said(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], "make a key (install openssh-client)")


def script(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o755)


def free_port():
    """A port that was free a moment ago: sshd cannot choose one itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(what, condition, limit=PATIENCE, pause=0.05):
    """Waits until the condition holds, and answers what it gave."""
    deadline = time.monotonic() + limit
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failure(f"this did not happen within {limit} s: {what}")
        time.sleep(pause)


def descendants():
    """All processes below this one."""
    parents = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                # The program's name, in parentheses, may contain anything.
                parents[int(name)] = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
    below, found = {os.getpid()}, set()
    while below:
        below = {pid for pid, parent in parents.items() if parent in below} - found
        found |= below
    return found


def end_descendants():
    """Kills everything this process has started, directly or not, and waits until it is gone."""
    while True:
        for pid in descendants():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
