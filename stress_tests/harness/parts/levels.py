"""What each level of monitoring adds to an echoed message: differences too small for a few rounds among many servers."""

from .. import contenders
from ..aims import Aim
from . import echo

NAME = "levels"
TITLE = "what the levels add to an echoed message"
LIMITS = {"metrics": 1.02, "callbacks": 1.03}


def seconds(size):
    return 6 if size == "quick" else 170


def measure(run):
    cells = run.choose(quick=echo.JUDGED[:1], normal=echo.JUDGED)
    return echo.interleave(run, contenders.LEVELS, cells, run.choose(quick=6, normal=40), run.choose(quick=0.2, normal=0.5))


def tables(data):
    return echo.table(data, "off", [])


def aims(data):
    return [
        Aim.of_ratio(f"CPU per message, {name} / off, {cell[1]} connections", echo.cpu_ratio(data, cell, name, "off"), limit)
        for cell in echo.cells_of(data)
        for name, limit in LIMITS.items()
    ]
