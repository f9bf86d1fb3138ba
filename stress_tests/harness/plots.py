"""The pictures of some of the parts."""

from . import contenders, summaries, tools
from .parts import dispatches, echo

#: By the beginning of a contender's name; what is monitored is hatched.
COLORS = {"c": "#555555", "off": "#f05138", "metrics": "#f05138", "callbacks": "#f05138", "nio": "#2f6fde",
          "uvloop": "#e0a800", "node": "#3c873a"}


def draw(name, data, folder):
    """Writes a part's plots; their file names and captions."""
    if not tools.has_matplotlib():
        return []
    drawers = {"echo": _echo, "levels": _levels, "dispatches": _dispatches}
    return list(drawers[name](data, folder)) if name in drawers else []


def _pyplot():
    import matplotlib

    matplotlib.use("svg")
    # The same data make the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "stress", "svg.fonttype": "none", "font.size": 9, "axes.axisbelow": True})
    from matplotlib import pyplot

    return pyplot


def _save(pyplot, figure, folder, name):
    figure.tight_layout()
    figure.savefig(folder / name, metadata={"Date": None})
    pyplot.close(figure)
    return name


def _color(name):
    return next(color for beginning, color in COLORS.items() if name == beginning or name.startswith(beginning + "_"))


def _is_monitored(name):
    return name in ("metrics", "callbacks") or name.endswith("_monitored")


def _bars(axes, figures, labels):
    """Horizontal bars with their quartiles, the first on top."""
    for position, (name, figure) in enumerate(figures.items()):
        spread = [[figure["median"] - figure["low"]], [figure["high"] - figure["median"]]]
        axes.barh(position, figure["median"], color=_color(name), alpha=0.55 if _is_monitored(name) else 0.95,
                  hatch="///" if _is_monitored(name) else None, edgecolor="white", xerr=spread, error_kw={"lw": 1})
    axes.set_yticks(range(len(figures)), [labels.get(name, name) for name in figures])
    axes.set_ylim(len(figures) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)


def _echo(data, folder):
    pyplot = _pyplot()
    labels = {contender.name: contender.label for contender in contenders.everyone()}
    names = echo.names_of(data)
    cells = [cell for cell in echo.JUDGED if cell in echo.cells_of(data)]

    figure, panels = pyplot.subplots(1, len(cells), figsize=(4.8 * len(cells), 3.2), squeeze=False, sharey=True)
    for axes, cell in zip(panels[0], cells):
        _bars(axes, {name: summaries.summary(echo.values(data, cell, name, "per_second").values()) for name in names}, labels)
        axes.set_title(f"{echo.size_text(cell[0])}, {cell[1]} connections")
        axes.set_xlabel("messages a second")
    yield _save(pyplot, figure, folder, "throughput.svg"), "messages a second"

    figure, panels = pyplot.subplots(1, len(cells), figsize=(4.8 * len(cells), 3.6), squeeze=False)
    for axes, cell in zip(panels[0], cells):
        for name in names:
            rounds = echo.values(data, cell, name, "latency_us").values()
            percents = [percent for percent in next(iter(rounds)) if percent != "100"]
            times = [summaries.summary([each[percent] for each in rounds])["median"] for percent in percents]
            # So that 99 and 99.9 are as far apart as 90 and 99.
            axes.plot([1 / (1 - float(percent) / 100) for percent in percents], times, color=_color(name),
                      ls="--" if _is_monitored(name) else "-", lw=1.2, label=labels.get(name, name))
        axes.set_xscale("log")
        axes.set_yscale("log")
        ticks = ["50", "90", "99", "99.9", "99.99"]
        axes.set_xticks([1 / (1 - float(percent) / 100) for percent in ticks], ticks)
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        axes.set_title(f"{echo.size_text(cell[0])}, {cell[1]} connections")
        axes.set_xlabel("percentile")
        axes.set_ylabel("latency, µs")
    panels[0][0].legend(fontsize=6)
    yield _save(pyplot, figure, folder, "latency.svg"), "latency by percentile"



def _levels(data, folder):
    pairs = [("off", "c"), ("metrics", "off"), ("callbacks", "off")]
    pyplot = _pyplot()
    labels = {contender.name: contender.label for contender in contenders.everyone()}
    cells = echo.cells_of(data)
    figure, panels = pyplot.subplots(1, len(cells), figsize=(4.8 * len(cells), 1.2 + 0.3 * len(pairs)), squeeze=False,
                                     sharex=True, sharey=True)
    for axes, cell in zip(panels[0], cells):
        for position, (name, base) in enumerate(pairs):
            ratio = echo.cpu_ratio(data, cell, name, base)
            percent = {key: (ratio[key] - 1) * 100 for key in ("median", "low", "high")}
            axes.errorbar(percent["median"], position, fmt="o", color=_color(name),
                          xerr=[[percent["median"] - percent["low"]], [percent["high"] - percent["median"]]])
        axes.axvline(0, color="black", lw=0.8)
        axes.set_yticks(range(len(pairs)), [f"{labels.get(name, name)} / {labels.get(base, base)}" for name, base in pairs])
        axes.set_ylim(len(pairs) - 0.5, -0.5)
        axes.grid(axis="x", alpha=0.3)
        axes.set_title(f"{echo.size_text(cell[0])}, {cell[1]} connections")
        axes.set_xlabel("percent more processor time for a message")
    caption = "what the library and its levels add to a message, with quartiles"
    yield _save(pyplot, figure, folder, "overhead.svg"), caption


def _dispatches(data, folder):
    pyplot = _pyplot()
    labels = {contender.name: contender.label for contender in contenders.everyone()}
    names = list(dict.fromkeys(sample["server"] for sample in data["samples"]))
    figure, axes = pyplot.subplots(figsize=(6.4, 3.2))
    _bars(axes, {name: summaries.summary(dispatches.values(data, name, "posted_batch").values()) for name in names}, labels)
    axes.set_xscale("log")
    axes.set_xlabel("ns of processor time for a posted callback, of a thousand (logarithmic)")
    yield _save(pyplot, figure, folder, "posted.svg"), "what a posted callback costs"
