"""The raw data, a file for each part, and what is written of all of them."""

import datetime
import json
import re

from . import contenders, machine, parts, plots, short
from .aims import text as figure_text


class Results:
    def __init__(self, folder):
        self.folder = folder
        # Before any of it is written.
        self._origin = {"commit": machine.commit(), "machine": machine.describe()}
        self._data = folder / "data"
        self._data.mkdir(parents=True, exist_ok=True)

    def store(self, part, size, data, aims):
        record = {
            "part": part.NAME,
            "size": size,
            "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
            **self._origin,
            "aims": [aim.as_data() for aim in aims],
            "data": data,
        }
        # A line for each sample.
        text = json.dumps(record, separators=(",", ":")).replace("},{", "},\n{")
        (self._data / f"{part.NAME}.json").write_text(text + "\n", encoding="utf-8")

    def load(self):
        """The records of all parts that have been measured, in order, with their parts."""
        for part in parts.ALL:
            path = self._data / f"{part.NAME}.json"
            if path.exists():
                yield part, json.loads(path.read_text(encoding="utf-8"))

    def write(self):
        """Makes README.md and the plots, from what has been measured by now."""
        beginning, *sections = _sections(self._lines(list(self.load())))
        contents = [f"- [{title}](#{_anchor(title)})" for title in (section[0].removeprefix("## ") for section in sections)]
        lines = [*beginning, *contents, "", *(line for section in sections for line in section)]
        (self.folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _lines(self, records):
        yield "# What it costs, and what others cost"
        yield ""
        yield "Written by `stress_tests/run`, which measures all of it again on your machine. All traffic is on 127.0.0.1;"
        yield "servers run on one core and load on another, in turn, forwards and backwards, each paused while others are"
        yield "measured. A ratio is the median of the rounds' ratios, with the quartiles behind it. Processor time is what"
        yield "the kernel charges to the server, system calls included. A run fails by a count that misses its aim, and by a"
        yield "time whose lower quartile misses it by half. The raw data are in `data`."
        yield ""
        yield "| | |"
        yield "|---|---|"
        facts = {}
        for _, record in records:
            facts |= record["machine"]
        for name, fact in facts.items():
            yield f"| {name} | {fact} |"
        for label, why in contenders.missing().items():
            yield f"| left out: {label} | {why} |"
        brief = list(short.table({part.NAME: record["data"] for part, record in records}))
        if brief:
            yield ""
            yield f"## In short: 1 KiB on {short.CELL[1]} connections, and dispatches without I/O"
            yield ""
            yield "<!-- the short table -->"
            yield from brief
            yield "<!-- end of the short table -->"
        yield ""
        yield "## Aims"
        yield ""
        yield "| aim | figure | quartiles | at most | |"
        yield "|---|--:|--:|--:|---|"
        for _, record in records:
            for aim in record["aims"]:
                figure, limit = figure_text(aim["figure"]), figure_text(aim["limit"])
                spread = f"{figure_text(aim['low'])}–{figure_text(aim['high'])}" if aim["low"] is not None else ""
                yield f"| {aim['what']} | {figure} | {spread} | {limit} | {aim['verdict']} |"
        if (self.folder / "aims.md").exists():
            yield ""
            yield (self.folder / "aims.md").read_text(encoding="utf-8").rstrip()
        for part, record in records:
            yield ""
            yield f"## {part.TITLE[0].upper()}{part.TITLE[1:]}"
            yield ""
            for plot, caption in plots.draw(part.NAME, record["data"], self.folder):
                yield f"![{caption}]({plot})"
                yield ""
            yield from part.tables(record["data"])
            yield ""
            yield f"Measured {record['date']} at commit `{record['commit']}`, size `{record['size']}`."


def _sections(lines):
    """What comes before the first heading, and what stands below each."""
    sections = [[]]
    for line in lines:
        if line.startswith("## "):
            sections.append([])
        sections[-1].append(line)
    return sections


def _anchor(title):
    """Where a heading is found, as GitHub names it."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
