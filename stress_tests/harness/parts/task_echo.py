"""Echo servers with a task for each connection."""

from ..aims import Aim
from . import echo

NAME = "task_echo"
TITLE = "TCP echo with a task for each connection"
CONTENDERS = ["async", "async_metrics", "nio_async", "uvloop_streams", "uvloop_streams_monitored"]
CELLS = [(1024, 10), (1024, 200)]


def seconds(size):
    return 12 if size == "quick" else 170


def measure(run):
    if run.size == "quick":
        return echo.interleave(run, CONTENDERS, CELLS[:1], 8)
    return echo.interleave(run, CONTENDERS, CELLS, 64)


def tables(data):
    return echo.table(data, "async", ["nio_async"])


def aims(data):
    return [
        Aim.of_ratio(
            f"CPU per message, tasks / NIOAsyncChannel, {cell[1]} connections",
            echo.cpu_ratio(data, cell, "async", "nio_async"),
            0.5,
        )
        for cell in echo.cells_of(data)
    ]
