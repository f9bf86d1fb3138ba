"""What many measurements of a thing come to."""

from statistics import median, quantiles


def summary(values):
    """The median with the quartiles, as the dictionary that the raw data hold."""
    values = sorted(values)
    if not values:
        raise ValueError("there are no values")
    low, high = (quantiles(values, n=4, method="inclusive")[::2]) if len(values) > 1 else (values[0], values[0])
    return {"median": median(values), "low": low, "high": high, "least": values[0], "rounds": len(values)}


def text(summary, form):
    """The median, with the quartiles behind it where there were several rounds."""
    median = format(summary["median"], form)
    return median if summary["rounds"] < 2 else f"{median} ({summary['low']:{form}}–{summary['high']:{form}})"


def ratios(values, bases):
    """The ratio of each round's two values, which the machine's moods touch alike."""
    pairs = [(value, bases[number]) for number, value in values.items() if number in bases]
    return summary([value / base for value, base in pairs])


def differences(values, bases):
    """The difference of each round's two values."""
    return summary([value - bases[number] for number, value in values.items() if number in bases])
