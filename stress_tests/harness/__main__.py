"""The command line; `stress_tests/run` builds what this measures, and calls it."""

import argparse
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
    options = _arguments()
    size = "quick" if options.quick else "full" if options.full else "normal"
    chosen = [part for part in parts.ALL if not options.only or part.NAME in options.only]
    folder = tools.ROOT / "results" if size != "quick" else tools.BIN / "results"
    store = results.Results(folder)
    for label, why in contenders.missing().items():
        warn(f"{label} is left out: {why}")
    if not tools.has_matplotlib():
        warn("there will be no plots: matplotlib cannot be imported")

    progress = Progress({part.NAME: part.seconds(size) for part in chosen})
    run = Run(size, progress)
    aims = []
    for part in chosen:
        progress.begin(part.NAME, part.TITLE)
        data = part.measure(run)
        store.store(part, size, data)
        for aim in part.aims(data):
            aims.append(aim)
            spread = f"({text(aim.low)}–{text(aim.high)})" if aim.low is not None else ""
            say(f"  {aim.verdict:<7} {aim.what:<62} {text(aim.figure):>8} {spread:<14} at most {text(aim.limit)}")
    store.write()
    failed = [aim for aim in aims if aim.is_failed]
    say(f"==> {sum(aim.is_met for aim in aims)} of {len(aims)} aims met, {len(failed)} failed; see {folder}/README.md")
    return 1 if failed else 0


def _arguments():
    parser = argparse.ArgumentParser(
        prog="stress_tests/run",
        description="Measures the library beside C libuv, SwiftNIO, uvloop and Node, and writes results/README.md.",
    )
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--quick", action="store_true", help="in some minutes, for CI; writes to bin/results instead")
    amount.add_argument("--full", action="store_true", help="with a soak of an hour instead of a minute")
    names = [part.NAME for part in parts.ALL]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"only this part: {', '.join(names)}")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"error: {failure}")
