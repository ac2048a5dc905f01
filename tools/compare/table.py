"""Figures, and the table they are printed as."""

import os
from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Figure:
    """One measured number of one build."""

    name: str
    value: float
    unit: str = ""
    # The new build's share of the old one's number is to be at most 1/goal.
    goal: Optional[int] = None

    def text(self):
        number = f"{self.value:.2f}" if self.unit == "s" else f"{self.value:g}"
        return f"{number} {self.unit}".strip()


def ratio(old, new):
    """The new number as a share of the old one, for people."""
    if old <= 0 or new <= 0:
        return "-"
    return f"1/{old / new:.1f}" if new < old else f"{new / old:.2f}"


def goal(old, new, is_quick):
    # The goals were set for the full sizes.
    if old.goal is None or is_quick:
        return ""
    is_met = new.value * old.goal <= old.value
    return f"1/{old.goal}: {'met' if is_met else 'missed'}"


def print_table(builds, pairs, is_quick):
    """Prints the pairs of figures; each is the old build's and the new one's."""
    print(f"One run on a machine with {os.cpu_count()} processors{', with smaller sizes' if is_quick else ''}.")
    for label, binary in builds:
        print(f"{label}: {binary}")
    rows = [("figure", "old", "new", "ratio", "goal")]
    for old, new in pairs:
        rows.append(
            (old.name, old.text(), new.text(), ratio(old.value, new.value), goal(old, new, is_quick))
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rows.insert(1, tuple("-" * width for width in widths))
    print()
    for name, *rest in rows:
        cells = [name.ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(rest, widths[1:])]
        print("  ".join(cells).rstrip())
