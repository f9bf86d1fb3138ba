"""The command line; `stress_tests/run` builds what this measures, and calls it."""

import argparse
import signal
import subprocess
import sys

from . import contenders, parts, results, tools
from .aims import text
from .failures import Failure
from .progress import Progress, say, warn


class Run:
    """How much is measured, and where the reports of it go."""

    def __init__(self, size, progress):
        self.size = size
        self._progress = progress

    def choose(self, quick, normal):
        return quick if self.size == "quick" else normal

    def step(self, done, text):
        self._progress.step(done, text)


def main():
    options = arguments()
    size = "quick" if options.quick else "full" if options.full else "normal"
    chosen = [part for part in parts.ALL if not options.only or part.NAME in options.only]
    folder = tools.ROOT / "results" if options.full or options.report else tools.BIN / "results"
    store = results.Results(folder)
    for label, why in contenders.missing().items():
        warn(f"{label} is left out: {why}")
    if not tools.has_matplotlib():
        warn("there will be no plots: matplotlib cannot be imported")

    if options.report:
        store.write()
        return 0
    progress = Progress({part.NAME: part.seconds(size) for part in chosen})
    run = Run(size, progress)
    aims, errors = [], 0
    for part in chosen:
        progress.begin(part.NAME, part.TITLE)
        try:
            data = part.measure(run)
        except (Failure, OSError, subprocess.SubprocessError, ValueError, LookupError) as error:
            warn(f"{part.TITLE}: {type(error).__name__}: {error}")
            errors += 1
            continue
        reached = part.aims(data)
        store.store(part, size, data, reached)
        for aim in reached:
            spread = f"({text(aim.low)}–{text(aim.high)})" if aim.low is not None else ""
            say(f"  {aim.verdict:<7} {aim.what:<62} {text(aim.figure):>8} {spread:<14} at most {text(aim.limit)}")
        aims += reached
    store.write()
    failed = [aim for aim in aims if aim.is_failed]
    counts = f"{sum(aim.is_met for aim in aims)} of {len(aims)} aims met, {len(failed)} failed, {errors} parts in error"
    say(f"==> {counts}; see {folder}/README.md")
    return 1 if failed or errors else 0


def arguments():
    """Ends the process if they are wrong."""
    parser = argparse.ArgumentParser(
        prog="stress_tests/run",
        description="Measures the library beside C libuv, SwiftNIO, uvloop, and Node, and writes results/README.md.",
    )
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="measure the essentials in a few minutes, for CI")
    amount.add_argument("--full", action="store_true", help="measure everything, with a soak of one hour; write to results instead of bin/results")
    amount.add_argument("--report", action="store_true", help="measure nothing; rewrite results/README.md from its data")
    names = [part.NAME for part in parts.ALL]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"measure only this part; may be repeated: {', '.join(names)}")
    return parser.parse_args()


if __name__ == "__main__":
    # So that whoever is ended ends what it started.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    sys.exit(main())
