"""What the figures should be."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Aim:
    what: str
    figure: float
    limit: float
    #: The quartiles of the rounds; for counts there are none.
    low: float | None = None
    high: float | None = None
    #: Counts are the same on a busy machine; times are not.
    counted: bool = False
    #: How many times the limit a time may be before the run fails.
    slack: float = 1.5

    @property
    def is_met(self):
        return self.figure <= self.limit

    @property
    def is_failed(self):
        """Whether the run fails: by a count that is missed, or a time that most of the rounds miss by far."""
        if self.counted:
            return not self.is_met
        return (self.figure if self.low is None else self.low) > self.slack * self.limit

    @property
    def verdict(self):
        return "met" if self.is_met else "FAILED" if self.is_failed else "missed"

    def as_data(self):
        return {**asdict(self), "verdict": self.verdict}

    @staticmethod
    def of_ratio(what, ratio, limit, slack=1.5):
        """From a summary of the rounds' ratios or differences."""
        return Aim(what, ratio["median"], limit, ratio["low"], ratio["high"], slack=slack)


def text(figure):
    return f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.3g}"
