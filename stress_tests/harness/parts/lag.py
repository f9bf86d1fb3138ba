"""Whether the lag that is reported is the true one."""

import subprocess

from .. import tools
from ..aims import Aim
from ..failures import Failure

NAME = "lag"
TITLE = "whether the lag that is reported is the true one"
POSTED = ("posted", "timers", "jobs")
LARGE = "pieces of large messages within the range"


def seconds(size):
    return 20 if size == "quick" else 60


def measure(run):
    """The best of some rounds: a machine that takes the processor away in a poll makes that look like sleep."""
    rounds, most = [], run.choose(quick=2, normal=6)
    for number in range(most):
        result = subprocess.run([tools.swift_program("lag")], capture_output=True, text=True, timeout=200, check=False)
        if result.returncode:
            raise Failure(f"lag: {result.stdout}{result.stderr}")
        rounds.append({name: float(figure) for name, figure in (line.rsplit(": ", 1) for line in result.stdout.splitlines())})
        run.step((number + 1) / most, f"{_outside(rounds[-1]):.2f} % of the messages outside of their range")
        if max(_outside(rounds[-1]), _outside(rounds[-1], LARGE)) <= 2:
            break
    return {"rounds": rounds, "best": min(rounds, key=_outside)}


def _outside(figures, name="others within the range"):
    return 100 - figures[name]


def tables(data):
    best = data["best"]
    lines = ["| lag | right | in percent |", "|---|---|--:|"]
    lines.append(f"| of messages | within the range that is reported | {best['others within the range']:.2f} |")
    if LARGE in best:
        lines.append(f"| of pieces of messages of 1 MiB, which go back and forth | within the range that is reported | {best[LARGE]:.2f} |")
    lines += [f"| of {kind} | to 100 µs | {best[f'{kind} within 100 us']:.2f} |" for kind in POSTED]
    return [
        *lines,
        "",
        f"Of {best['messages']:,.0f} messages {best['messages that the machine held up']:,.0f} were left out because the "
        "machine itself had held up client or server.",
    ]


def aims(data):
    best = data["best"]
    return [
        Aim("percent of messages outside of their range", _outside(best), 2, slack=5),
        Aim("percent of pieces of messages of 1 MiB outside of their range", _outside(best, LARGE), 2, slack=5),
        *(Aim(f"percent of {kind} off by more than 100 µs", 100 - best[f"{kind} within 100 us"], 1) for kind in POSTED),
    ]
