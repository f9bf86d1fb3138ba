"""What the library, and each level of monitoring, adds to an echoed message: too little for a few rounds to tell."""

from ..aims import Aim
from . import echo

NAME = "levels"
TITLE = "what the library and its levels add to an echoed message"
CONTENDERS = ["c", "off", "metrics", "callbacks"]
#: Of the first relative to the second.
LIMITS = {("off", "c"): 1.05, ("metrics", "off"): 1.02, ("callbacks", "off"): 1.03}


def seconds(size):
    return 8 if size == "quick" else 320


def measure(run):
    cells = run.choose(quick=echo.JUDGED[:1], normal=echo.JUDGED)
    return echo.interleave(run, CONTENDERS, cells, run.choose(quick=16, normal=160))


def tables(data):
    return echo.table(data, "c", ["off"])


def aims(data):
    return [
        Aim.of_ratio(
            f"CPU per message, {name} / {'C' if base == 'c' else base}, {cell[1]} connections",
            echo.cpu_ratio(data, cell, name, base),
            limit,
        )
        for cell in echo.cells_of(data)
        for (name, base), limit in LIMITS.items()
    ]
