"""An audit's report as files and as text: audit.json, audit.md, audit.png, and the table that the command prints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from partonomy_data.questions.audit.attack import OBJECT_ATTACKERS, PART_ATTACKERS
from partonomy_data.questions.audit.report import SHAPES, Report, Row
from partonomy_data.store import files

_ORDER: Final = (
    "all",
    "identification",
    "intersection",
    "difference",
    "contrast",
    "part_to_whole",
    "whole_to_part",
)
_SHORT: Final = {"identification": "identific.", "part_to_whole": "part→whole", "whole_to_part": "whole→part"}


def write(report: Report, folder: str | Path) -> list[Path]:
    """Writes audit.json, audit.md and audit.png to `folder`, and returns their paths.

    Raises UsageError if matplotlib is not installed (the extra `audit`).
    """
    from partonomy_data.questions.audit import figure

    folder = Path(folder)
    paths = [folder / name for name in ("audit.json", "audit.md", "audit.png")]
    figure.require()
    files.write_json(paths[0], msgspec.to_builtins(report))
    files.write_text(paths[1], markdown(report))
    figure.draw(report, paths[2])
    return paths


def types_of(rows: Sequence[Row]) -> list[str]:
    """The question types of the rows, `all` first, in the order of reports."""
    present = {row.question_type for row in rows}
    return [name for name in _ORDER if name in present] + sorted(present - set(_ORDER))


def attackers_of(rows: Sequence[Row]) -> list[str]:
    """The attackers of the rows, in the order of reports."""
    present = {row.attacker for row in rows}
    return [name for name in (*PART_ATTACKERS, *OBJECT_ATTACKERS) if name in present]


def compact(report: Report, name: str = "all") -> str:
    """The attackers' accuracies in percent by question type, for a terminal; `*` marks what is beyond chance."""
    lines = []
    for turn, title in (("parts", "choices of parts"), ("object", "choices of objects (two-turn types)")):
        rows = [row for row in report.rows if row.slice == name and row.turn == turn]
        if not rows:
            continue
        types = types_of(rows)
        cell = {(row.attacker, row.question_type): row for row in rows}
        lines += ["", title, f"{'accuracy in %':<18}" + "".join(f"{_SHORT.get(one, one):>14}" for one in types)]
        some = attackers_of(rows)[0]
        lines.append(f"{'chance':<18}" + "".join(f"{100 * cell[some, one].chance:>13.1f} " for one in types))
        for attacker in attackers_of(rows):
            values = [cell[attacker, one] for one in types]
            texts = [f"{100 * row.accuracy:>13.1f}" + (" " if row.within_chance else "*") for row in values]
            lines.append(f"{attacker:<18}" + "".join(texts))
        lines.append(f"{'questions':<18}" + "".join(f"{cell[some, one].n:>13,} " for one in types))
    return "\n".join(lines[1:])


def verdict(report: Report, name: str = "all") -> str:
    """One sentence: whether any attacker is beyond chance in the slice, and which is the furthest."""
    rows = [row for row in report.rows if row.slice == name and row.attacker not in SHAPES]
    if not rows:
        return f"{name}: no questions"
    beyond = report.beyond(name)
    title = {"all": "all questions", "balanced=true": "balanced", "balanced=false": "not balanced"}.get(name, name)
    if not beyond:
        return f"{title}: every attacker is within chance ({len(rows)} accuracies)"
    worst = max(beyond, key=lambda row: abs(row.accuracy - row.chance))
    return (
        f"{title}: {len(beyond)} of {len(rows)} accuracies are beyond chance; furthest {worst.attacker} on "
        f"{worst.question_type} ({worst.turn}): {100 * worst.accuracy:.1f} % against {100 * worst.chance:.1f} %"
    )


def verdicts(report: Report) -> list[str]:
    """The verdicts on all questions, and on those that are balanced and those that aren't."""
    present = {row.slice for row in report.rows}
    return [verdict(report, name) for name in ("all", "balanced=true", "balanced=false") if name in present]


def plain_facts(report: Report) -> list[str]:
    """One line for each of the plain checks."""
    blocks, leakage = report.blocks, report.leakage
    median = {one.questions: _number(one.median) for one in report.hardness if one.question_type == "all"}
    lines = [
        f"choices that a rule excludes ({one.questions}), of {one.choices:,}: {one.empty:,} empty, {one.repeated:,} repeated, "
        f"{one.same_text:,} with a repeated text, {one.part_never_right:,} with a part that is never right"
        for one in report.excluded
        if one.choices
    ]
    lines += [
        f"blocks: {blocks.blocks:,}; choices differ in {blocks.choices_differ:,}, the text in {blocks.text_differs:,}; "
        f"not each choice right once in {blocks.not_each_right_once:,}; a photograph twice in {blocks.photograph_repeated:,}",
        f"in several splits: {leakage.photographs:,} photographs, {leakage.units:,} groups, blocks or photographs",
        f"edits to the nearest wrong choice, median: {median['all']} (balanced: {median['balanced']}); in categories with "
        f"six or more parts: {median['six_or_more_parts']} (balanced: {median['balanced, six_or_more_parts']})",
    ]
    lines += [
        f"position of the right choice ({row.turn}, {row.choices} choices): {row.counts}, "
        f"chi-square {row.chi_square:.2f}, p = {row.p_value:.3f}"
        for row in report.positions
    ]
    if report.declared_wrong:
        lines.append(f"balanced questions with a wrong column chance: {report.declared_wrong:,}")
    return [*lines, *report.notes]


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def markdown(report: Report) -> str:
    """The whole report as Markdown: verdicts, plain checks, the table of each slice."""
    lines = [
        "# Audit of questions",
        "",
        f"{report.n:,} questions in {report.units:,} groups, blocks or photographs: {report.source or 'no name given'}.",
        "",
        *(f"- {line}" for line in (*verdicts(report), *plain_facts(report))),
        "",
        "Accuracies in percent, with the interval that holds for all of a table together; "
        "**bold** where it doesn't contain chance.",
    ]
    for name in dict.fromkeys(row.slice for row in report.rows):
        for turn in ("parts", "object"):
            rows = [row for row in report.rows if row.slice == name and row.turn == turn]
            if rows:
                lines += ["", f"## {name}: {'choices of parts' if turn == 'parts' else 'choices of objects'}", ""]
                lines += _markdown_table(rows)
    lines += ["", "## Right and wrong choices", "", *_length_table(report)]
    return "\n".join([*lines, ""])


def _markdown_table(rows: Sequence[Row]) -> list[str]:
    types = types_of(rows)
    cell = {(row.attacker, row.question_type): row for row in rows}
    some = attackers_of(rows)[0]
    lines = [f"| attacker | {' | '.join(types)} |", "|---|" + "---|" * len(types)]
    lines.append("| chance | " + " | ".join(f"{100 * cell[some, one].chance:.1f}" for one in types) + " |")
    lines += [
        f"| {attacker} | " + " | ".join(_cell(cell[attacker, one]) for one in types) + " |"
        for attacker in attackers_of(rows)
    ]
    lines.append("| questions | " + " | ".join(f"{cell[some, one].n:,}" for one in types) + " |")
    return lines


def _cell(row: Row) -> str:
    text = f"{100 * row.accuracy:.1f} ({100 * row.family_low:.1f}–{100 * row.family_high:.1f})"
    return text if row.within_chance else f"**{text}**"


def _length_table(report: Report) -> list[str]:
    lines = ["| type | parts, right | parts, wrong | characters, right | characters, wrong |", "|---|---|---|---|---|"]
    for row in report.lengths:
        means = (row.right_parts, row.wrong_parts, row.right_characters, row.wrong_characters)
        lines.append(f"| {row.question_type} | " + " | ".join(f"{value:.2f}" for value in means) + " |")
    return lines
