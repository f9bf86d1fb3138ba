"""What watching SwiftNIO's own loops adds to an echoed message."""

from ..aims import Aim
from . import echo

NAME = "nio"
TITLE = "what watching SwiftNIO's loops adds to an echoed message"
CONTENDERS = ["nio", "nio_linked", "nio_metrics"]
#: Of the first relative to SwiftNIO alone.
LIMITS = {"nio_linked": ("linked and off", 1.005), "nio_metrics": ("metrics", 1.02)}


def seconds(size):
    return 8 if size == "quick" else 320


def measure(run):
    cells = run.choose(quick=echo.JUDGED[:1], normal=echo.JUDGED)
    return echo.interleave(run, CONTENDERS, cells, run.choose(quick=16, normal=160))


def tables(data):
    return echo.table(data, "nio", [])


def aims(data):
    return [
        Aim.of_ratio(f"CPU per message, {text} / SwiftNIO, {cell[1]} connections", ratio, limit)
        for cell in echo.cells_of(data)
        for name, (text, limit) in LIMITS.items()
        for ratio in [echo.cpu_ratio(data, cell, name, "nio")]
    ]
