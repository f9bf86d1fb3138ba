"""Says what is going on and how long it will take."""

import sys
import time


class Progress:
    def __init__(self, parts):
        #: Of each part that is still to come, the seconds that it is expected to take.
        self._left = dict(parts)
        self._total = len(parts)
        self._start = time.monotonic()
        self._expected = self._began = 0.0

    def begin(self, name, title):
        self._expected = self._left.pop(name)
        self._began = time.monotonic()
        number = self._total - len(self._left)
        print(f"==> [{number}/{self._total}] {title} ({self._remaining(0)} left)", flush=True)

    def step(self, done, text):
        """A share of the part is done."""
        print(f"  {text} ({self._remaining(done)} left)", flush=True)

    def _remaining(self, done):
        passed = time.monotonic() - self._began
        here = self._expected * (1 - done) if done < 0.1 else passed / done * (1 - done)
        seconds = here + sum(self._left.values())
        return f"about {seconds / 60:.0f} min" if seconds >= 90 else f"about {seconds:.0f} s"


def say(text):
    print(text, flush=True)


def warn(text):
    print(f"warning: {text}", file=sys.stderr, flush=True)
