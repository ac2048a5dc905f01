"""Measures two builds of jetbackup-remote side by side: `python3 tools/compare OLD NEW`.

Each measurement runs once for each build, one after the other, on the same machine, against the same kind of peers.
"""

import sys

# No folder of compiled modules in the source tree. Must come before the modules beside this file are imported.
sys.dont_write_bytecode = True

import argparse
import os
import signal
import subprocess
import time

import idle
import listing
import start
from peers import Failure, Stage, build_simulator
from table import print_table

MEASUREMENTS = {"start": start, "list": listing, "idle": idle}
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

ABOUT = """\
Measure two builds of jetbackup-remote side by side and print one table.

  start  how long the daemon takes until it is ready, with 500 jobs and 400 nights of history
  list   calls of listQueueGroups for two jobs on a server whose queue lists 2,500 finished groups
  idle   time without a backup between two neighbours' jobs, with four jobs of a hung server between them
"""

NOTES = """\
The servers are simulated, behind a real sshd and the shipped gate. Cargo builds the simulator; neither
OLD nor NEW is built here. Nothing passes or fails by the figures: the exit status is 0 when all of them
were measured, 1 when one could not be, 2 for a wrong command line. With a build of before all mends, the
whole takes about 25 minutes.
"""


def arguments():
    parser = argparse.ArgumentParser(
        prog="python3 tools/compare",
        description=ABOUT,
        epilog=NOTES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", metavar="OLD", help="the binary to compare with")
    parser.add_argument("new", metavar="NEW", help="the binary to judge")
    parser.add_argument(
        "--only", action="append", choices=MEASUREMENTS, help="only this measurement; may be repeated"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="smaller: 4 nights, 200 groups, one job on the hung server; to see whether the tool works",
    )
    given = parser.parse_args()
    for name, path in (("OLD", given.old), ("NEW", given.new)):
        problem = unusable(path)
        if problem:
            parser.error(f"{name} is not a binary of jetbackup-remote: {path}: {problem}")
    return given


def unusable(path):
    """Why this is not a binary to measure; None if it is one."""
    if not os.path.exists(path):
        return "no such file; build it with `cargo build --release` in a checkout of that version"
    if not os.path.isfile(path) or not os.access(path, os.X_OK):
        return "not an executable file"
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, errors="replace", timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cannot be run: {error}"
    if said.returncode != 0 or not said.stdout.startswith("jetbackup-remote "):
        return f"`--version` does not say jetbackup-remote but {said.stdout[:80]!r}"
    return None


def measure(name, builds, quick):
    """The figures of one measurement, with both builds."""
    figures = []
    for label, binary in builds:
        print(f"{name}: {label} ...", file=sys.stderr, flush=True)
        begun = time.monotonic()
        with Stage(builds[0][1]) as stage:
            figures.append(MEASUREMENTS[name].measure(stage, binary, quick))
        print(f"{name}: {label} took {time.monotonic() - begun:.0f} s in all", file=sys.stderr, flush=True)
    return list(zip(*figures))


def end_with(number, _frame):
    """Leaves by the usual way, so that everything started is ended and every file removed."""
    for each in ENDING:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def main():
    given = arguments()
    for number in ENDING:
        signal.signal(number, end_with)
    names = [name for name in MEASUREMENTS if not given.only or name in given.only]
    builds = [("old", os.path.abspath(given.old)), ("new", os.path.abspath(given.new))]
    pairs, failed = [], False
    try:
        if any(MEASUREMENTS[name].NEEDS_SIMULATOR for name in names):
            build_simulator()
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    for name in names:
        try:
            pairs += measure(name, builds, given.quick)
        except Failure as failure:
            failed = True
            print(f"error: {name} could not be measured: {failure}", file=sys.stderr, flush=True)
    if pairs:
        print_table(builds, pairs, given.quick)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
