"""How long the daemon takes until it is ready, with a long history.

Ready means: READY=1 was sent to the service manager, and the control socket then shows each job's last run. The
servers' ports refuse connections, so that only the start counts.
"""

import os
import socket
import sqlite3
import time

from manager import Manager
from peers import Failure
from table import Figure

NEEDS_SIMULATOR = False
SERVERS = 5
JOBS = 500
DAY_MS = 24 * 3600 * 1000
RUN_S = 40
# 500 runs and this much more make a night.
PAUSE_S = 2
# Of a hundred runs, those that did not complete.
ODD_RESULTS = {7: ("failed", None), 31: ("partial", None), 64: ("skipped", "unreachable")}


def measure(stage, binary, is_quick):
    nights = 4 if is_quick else 400
    closed = [socket.socket() for _ in range(SERVERS)]
    try:
        # Bound and not listening: connections are refused, and nobody else can take the port.
        for each in closed:
            each.bind(("127.0.0.1", 0))
        servers = [(f"web{number}", each.getsockname()[1]) for number, each in enumerate(closed, 1)]
        jobs = [
            (f"web{number % SERVERS + 1}", f"{number + 1:024x}", f"Accounts {number + 1}") for number in range(JOBS)
        ]
        stage.configure(servers, jobs)
        with Manager(stage) as manager:
            # Both begin with tables of the old build: the new one may have to bring them up to date.
            daemon, _ = manager.start(stage.old)
            stage.end(daemon)
            try:
                fill(stage.path("state", "history.db"), jobs, nights)
            except sqlite3.Error as error:
                reason = f"the history's tables are not as tools/compare/start.py fills them: {error}"
                raise Failure(reason) from error

            daemon, first = manager.start(binary, JOBS)
            stage.end(daemon)
            daemon, second = manager.start(binary, JOBS)
            reload = manager.reload(daemon, JOBS)
            stage.end(daemon)
    finally:
        for each in closed:
            each.close()
    record = f"{JOBS} jobs, {nights} nights on record"
    return [
        Figure(f"start, {record}", second, "s", goal=50),
        Figure("  the first start with that record", first, "s"),
        Figure("  reload (SIGHUP)", reload, "s", goal=50),
    ]


def fill(path, jobs, nights):
    """Writes the nights into the history: a cycle each, with a run of every job, the last one ended an hour ago."""
    if not os.path.exists(path):
        raise Failure(f"the daemon made no {os.path.basename(path)}")
    night_ms = (RUN_S + PAUSE_S) * 1000 * len(jobs)
    newest = int(time.time() * 1000) - 3600 * 1000 - night_ms
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA synchronous = OFF")
        for night in range(nights):
            begun = newest - (nights - 1 - night) * DAY_MS
            rows = [run(night, place, begun, job, len(jobs)) for place, job in enumerate(jobs)]
            names = ", ".join(rows[0])
            values = ", ".join(f":{name}" for name in rows[0])
            database.executemany(f"INSERT INTO runs ({names}) VALUES ({values})", rows)
            completed = sum(1 for row in rows if row["result"] == "completed")
            cycle = (begun, begun, begun + night_ms, night_ms // 1000, len(rows), len(rows))
            database.execute(
                "INSERT INTO cycles (id, started, ended, duration, total, done, completed, problems)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*cycle, completed, len(rows) - completed),
            )
    database.close()


def run(night, place, begun, job, jobs):
    """A run as it is on record."""
    server, job_id, label = job
    number = night * jobs + place
    asked = begun + place * (RUN_S + PAUSE_S) * 1000
    result, reason = ODD_RESULTS.get((number * 37 + night) % 100, ("completed", None))
    ran = result != "skipped"
    duration = RUN_S - number % 7
    return {
        "id": begun + place,
        "server": server,
        "job": job_id,
        "label": label,
        "cycle": begun,
        "origin": "triggered",
        "asked": asked,
        "group_id": f"{asked // 1000:08x}{number:016x}" if ran else None,
        "started": asked + 1000 if ran else None,
        "ended": asked + (duration + 1) * 1000 if ran else asked,
        "duration": duration if ran else None,
        "time_limit": 14400,
        "overrun": 0,
        "released": 0,
        "open": 0,
        "result": result,
        "reason": reason,
        "error": None,
    }
