"""The picture of an audit: every attacker's accuracy with its interval beside chance, a panel for each question type."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from partonomy_data.errors import UsageError
from partonomy_data.questions.audit.report import Report, Row
from partonomy_data.store.files import written_aside

_WITHIN, _BEYOND, _CHANCE, _INK = "#2a6f97", "#c1440e", "#8a8a8a", "#222222"
_TITLES: Final = {"part_to_whole": "part to whole", "whole_to_part": "whole to part", "all": "all types"}


def require() -> None:
    """Raises UsageError if matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError("the audit's picture needs matplotlib", mend="pip install 'partonomy-data[audit]'") from error


def draw(report: Report, path: Path) -> None:
    """Writes the picture of the slice `balanced=true` where there is one, and of `all`, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from partonomy_data.questions.audit.render import attackers_of, types_of

    present = [name for name in ("all", "balanced=true") if any(row.slice == name for row in report.rows)]
    if len({row.n for row in report.rows if row.slice in present and row.question_type == "all"}) == 1:
        present = present[:1]
    types = types_of([row for row in report.rows if row.slice == "all"])
    attackers = attackers_of(report.rows)
    figure = Figure(
        figsize=(1.9 + 2.1 * len(types), 0.9 + (0.6 + 0.27 * len(attackers)) * len(present)), layout="constrained"
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(present), len(types), squeeze=False, sharex=True, sharey=True)
    for line, name in zip(axes, present, strict=True):
        for axis, kind in zip(line, types, strict=True):
            rows = [row for row in report.rows if row.slice == name and row.question_type == kind]
            _panel(axis, rows, attackers)
            axis.set_title(_TITLES.get(kind, kind), fontsize=9, color=_INK)
        if len(present) > 1:
            line[0].set_ylabel(name.replace("=true", " questions").replace("all", "all questions"), fontsize=9)
    figure.suptitle("Accuracy without the image", fontsize=11, color=_INK, x=0.01, ha="left")
    figure.supxlabel(
        "accuracy in %, with the interval that holds for all of a row's panels together; "
        "gray line: chance; red diamond: beyond chance",
        fontsize=8,
        color=_INK,
    )
    with written_aside(path) as aside:
        figure.savefig(aside, format="png", dpi=130, metadata={"Software": None})


def _panel(axis: Any, rows: list[Row], attackers: list[str]) -> None:
    by_name = {row.attacker: row for row in rows}
    for place, attacker in enumerate(attackers):
        row = by_name.get(attacker)
        if row is None:
            continue
        color = _WITHIN if row.within_chance else _BEYOND
        axis.plot([100 * row.chance] * 2, [place - 0.45, place + 0.45], color=_CHANCE, linewidth=1.2, zorder=1)
        axis.plot([100 * row.family_low, 100 * row.family_high], [place, place], color=color, linewidth=1.4, zorder=2)
        axis.plot([100 * row.accuracy], [place], "o" if row.within_chance else "D", color=color, markersize=4, zorder=3)
    axis.set_yticks(range(len(attackers)), [name.replace("_", " ") for name in attackers], fontsize=8)
    axis.set_ylim(len(attackers) - 0.4, -0.6)
    axis.set_xlim(0, 100)
    axis.set_xticks([0, 20, 40, 60, 80])
    axis.tick_params(axis="both", length=0, labelsize=8, colors=_INK)
    axis.grid(axis="x", color="#e3e3e3", linewidth=0.6)
    axis.set_axisbelow(True)
    for side in axis.spines.values():
        side.set_visible(False)
