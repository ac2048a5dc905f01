"""How long no backup runs between the jobs of two neighbours, with jobs of a hung server between them in the queue.

The hung server's sshd and gate answer; its `jetbackup5api` never does. Each neighbour has two jobs, so that the delay
of a trigger that needs nothing of the hung server is measured too. The times are those of the simulated servers.
"""

from peers import LIMIT, Failure, Server, until
from table import Figure

NEEDS_SIMULATOR = True
RUN_S = 3


def measure(stage, binary, is_quick):
    hung_jobs = 1 if is_quick else 4
    before = Server.simulated(stage, "before", RUN_S, 2)
    hung = Server.hung(stage, "hung", hung_jobs)
    after = Server.simulated(stage, "after", RUN_S, 2)
    servers = [before, hung, after]
    # The end of a run is seen within a second, so that what remains is the hung server's share.
    stage.configure(
        [(server.name, server.port) for server in servers],
        [(server.name, job, f"{server.name} {job[-1]}") for server in servers for job in server.jobs],
        poll_interval=1,
    )
    run = stage.launch(binary, "run")

    def both_ran():
        if run.poll() is not None and len(runs(after)) < 2:
            raise Failure(f"`run` ended with status {run.returncode} before both neighbours ran:\n{stage.said()}")
        found = runs(after)
        return len(found) == 2 and found[1]["ended"] is not None

    until("the second neighbour's jobs ended", both_ran, LIMIT, pause=0.5)
    if run.poll() is None:
        stage.end(run)
    first, second = runs(before), runs(after)
    if len(first) != 2 or len(second) != 2:
        raise Failure(f"the neighbours' jobs did not run once each:\n{stage.said()}")
    plural = "" if hung_jobs == 1 else "s"
    return [
        Figure(f"idle lane, {hung_jobs} job{plural} of a hung server between", gap(first[1], second[0]), "s", goal=5),
        Figure("  between two jobs of the neighbour before", gap(*first), "s"),
        Figure("  between two jobs of the neighbour after", gap(*second), "s"),
    ]


def runs(server):
    """The server's runs in the order of their triggers."""
    return sorted(server.record()["runs"], key=lambda each: each["triggered"])


def gap(earlier, later):
    """Seconds from the end of one run to the trigger of another."""
    if earlier["ended"] is None or earlier["ended"] > later["triggered"]:
        raise Failure("a job was triggered before the one in front of it had ended")
    return later["triggered"] - earlier["ended"]
