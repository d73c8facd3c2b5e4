"""A report as Markdown: what the numbers show, then tables with intervals, chance and the blind choosers beside each."""

from __future__ import annotations

from collections.abc import Sequence

from model.evaluation.report import gathering, saying
from model.evaluation.report.gathering import Gathered

#: Prefixes of slices, and what they are called.
SLICES = (
    ("source=", "Source"),
    ("photographs=", "Set of photographs"),
    ("parts=", "Number of parts"),
    ("part_size=", "Size of part"),
    ("", "Evidence"),
)


def text(said: Gathered) -> str:
    """The whole report."""
    lines = [f"# {said.model_id} on `{said.split}`", ""]
    lines += [
        f"{said.n} questions of version `{said.version}`, seed {said.seed}. {gathering.DRAWN}",
        "",
    ]
    lines += ["## What this shows", "", *(f"- {one}" for one in saying.sentences(said)), ""]
    for title, head, rows in tables(said):
        lines += [f"## {title}", "", *table(head, rows), ""]
    if said.problems:
        lines += ["## Malformed predictions", "", *(f"- {one}" for one in said.problems[:20]), ""]
    return "\n".join(lines)


def tables(said: Gathered) -> list[tuple[str, list[str], list[list[str]]]]:
    """Title, head and rows of each table: as the page shows them, too."""
    found = []
    for title, metrics in (
        ("Choices", gathering.CHOICES),
        ("Masks", gathering.MASKS),
        ("Names and spans", gathering.NAMES),
    ):
        rows = [[one, *(_cell(said, one, kind) for kind in said.types)] for one in said.of(metrics)]
        if rows:
            found.append((title, ["", *said.types], rows))
    shown = [
        one
        for one in ("chance", "blind_longest", "accuracy", "giou_micro_oracle", "strict_giou_predicted")
        if said.of([one])
    ]
    for prefix, title in SLICES:
        names = (
            said.slices(prefix)
            if prefix
            else [one for one in ("verified", "unverified") if said.at("chance", part=one)]
        )
        rows = [[name.removeprefix(prefix), *(_cell(said, one, "all", name) for one in shown)] for name in names]
        if rows:
            found.append((f"By {title[0].lower()}{title[1:]}", ["", *shown], rows))
    for split, gaps in said.gaps.items():
        rows = [
            [
                gap.metric,
                f"{gap.inside:.3f}",
                f"{gap.outside:.3f}",
                _signed(gap.interval.value, gap.interval.low, gap.interval.high),
            ]
            for gap in gaps
        ]
        found.append((f"Out of distribution: {split}", ["", "test", split, "gap, by groups"], rows))
    return found


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _cell(said: Gathered, metric: str, kind: str, part: str = "all") -> str:
    row = said.at(metric, kind, part)
    return "-" if row is None else saying.interval(row)


def _signed(value: float, low: float, high: float) -> str:
    return f"{value:+.3f}" if low != low else f"{value:+.3f} [{low:+.3f}, {high:+.3f}]"
