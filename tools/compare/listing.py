"""How often a server is asked for its queue groups, for two jobs, where its queue lists thousands of finished ones."""

import time

from manager import Manager
from peers import LIMIT, Failure, Server
from table import Figure

NEEDS_SIMULATOR = True
JOBS = 2
RUN_S = 3


def measure(stage, binary, is_quick):
    groups = 200 if is_quick else 2500
    server = Server.simulated(stage, "web1", RUN_S, JOBS, groups // JOBS)
    # Looks at a run come every second, as they do near the end of a long one.
    stage.configure(
        [(server.name, server.port)],
        [(server.name, job, f"Accounts {number}") for number, job in enumerate(server.jobs, 1)],
        poll_interval=1,
    )
    calls, took = run_queue(stage, binary, server)
    # A daemon may remember what it has read; its first run of the queue is the first whole reading at the latest.
    with Manager(stage) as manager:
        daemon, _ = manager.start(binary)
        run_queue(stage, binary, server)
        later, _ = run_queue(stage, binary, server)
        stage.end(daemon)
    return [
        Figure(f"list calls, {JOBS} jobs, {groups:,} groups listed", calls, goal=10),
        Figure("  the whole run of the queue", took, "s"),
        Figure("  list calls of a daemon's second run of the queue", later),
    ]


def run_queue(stage, binary, server):
    """Runs the jobs once each; answers how many list calls that took, and how many seconds."""
    before = server.record()
    begun = time.monotonic()
    status = stage.launch(binary, "run").wait(LIMIT)
    took = time.monotonic() - begun
    after = server.record()
    runs = after["runs"][len(before["runs"]) :]
    ended = [run["job"] for run in runs if run["ended"] is not None]
    if status != 0 or sorted(ended) != sorted(server.jobs):
        raise Failure(f"`run` ended with status {status} and not with one run of each job:\n{stage.said()}")
    return list_calls(after) - list_calls(before), took


def list_calls(record):
    return record["calls"].get("listQueueGroups", 0)
