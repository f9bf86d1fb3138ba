"""The table for who has a minute, which the README of the library shows as well."""

from . import contenders, summaries
from .parts import dispatches, echo

NAMES = ["c", "off", "metrics", "callbacks", "nio", "uvloop", "node", "node_monitored"]
CELL = (1024, 200)


def table(data):
    """From the data of the parts by name; nothing unless the main ones have been measured."""
    if not {"echo", "dispatches", "counts", "idle"} <= data.keys() or CELL not in echo.cells_of(data["echo"]):
        return
    yield "| | CPU per message, of C | messages/s | p99 ms | user instructions | posted callback ns | timer ns | idle connection B |"
    yield "|---" + "|--:" * 7 + "|"
    labels = {contender.name: contender.label for contender in contenders.everyone()}
    for name in NAMES:
        if name in echo.names_of(data["echo"]):
            yield f"| {labels.get(name, name)} | " + " | ".join(_cells(data, name)) + " |"


def _cells(data, name):
    ratio = echo.cpu_ratio(data["echo"], CELL, name, "c")
    yield "1" if name == "c" else summaries.text(ratio, ".2f")
    yield f"{_median(echo.values(data['echo'], CELL, name, 'per_second').values()):,.0f}"
    latency = [each["99"] for each in echo.values(data["echo"], CELL, name, "latency_us").values()]
    yield f"{_median(latency) / 1000:.1f}"
    instructions = data["counts"]["instructions"].get(name)
    yield f"{instructions:,.0f}" if instructions else ""
    for what in ("posted_batch", "timers"):
        yield f"{_median(dispatches.values(data['dispatches'], name, what).values()):,.0f}"
    size = data["idle"]["bytes"].get(name)
    yield f"{size:,.0f}" if size else ""


def _median(values):
    return summaries.summary(values)["median"]
