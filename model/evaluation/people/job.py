"""Sheets are written into the store, and the files that they save are taken in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from model.evaluation import predicting
from model.evaluation.people import answers, sheet, summary
from model.evaluation.people.answers import Answers, Human
from model.evaluation.people.sheet import FORMAT, Sheet
from model.evaluation.people.summary import Known
from model.evaluation.predicting import PredictionConfig
from model.evaluation.questions import Posed, Questions
from model.plum.errors import ModelError
from partonomy_data.store import files
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import Store

#: In the place of a model: writes a sheet; with a file after it, takes that in.
PERSON: Final = "human"
#: Questions on a sheet, if nothing else is said: an hour's work.
QUESTIONS: Final = 60
_BLOCKS: Final = """SELECT question_id, coalesce('block ' || block_id, 'photograph ' || i.sha256), chance
    FROM questions JOIN images i USING (image_id) WHERE split = $split"""


def write_sheet(store: Store, layout: Layout, config: PredictionConfig) -> str:
    """Writes a sheet of a sample of a split, and says what to do with it. Raises ModelError if there are no questions."""
    posed, about = pose(store, layout, config)
    path = layout.evaluation(PERSON, store.version) / f"sheet-{about.split}-{about.seed}.html"
    missing = sheet.write(path, about, posed)
    lines = [f"{len(posed) - missing} questions of {about.split} are in {path}"]
    if missing:
        lines.append(f"{missing} more could not be asked, as their photographs are missing")
    lines += [
        "Open it in a browser, answer, and save the file. Then run:",
        f"  partonomy evaluate --root {layout.root} --model human:FILE.json",
    ]
    return "\n".join(lines)


def person(store: Store, layout: Layout, path: Path, config: PredictionConfig) -> tuple[Human, PredictionConfig]:
    """A person by the file that a sheet saved, and the settings that ask what was on it.

    The file is kept with the sheet. Raises ModelError for one of another version's sheet, or of other questions.
    """
    given = answers.read(path)
    on = given.sheet
    if on.version != store.version:
        raise ModelError(
            f"it answers questions of version {on.version}, not {store.version}",
            where=str(path),
            mend=f"Add --version {on.version}",
        )
    wanted = replace(config, split=on.split, seed=on.seed, limit=on.limit, types=on.types, sources=on.sources)
    posed, about = pose(store, layout, wanted)
    if about != on:
        raise ModelError("its sheet had other questions", where=str(path), mend="Write the sheet again")
    folder = layout.evaluation(PERSON, store.version)
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(folder / f"answers-{on.split}-{on.seed}-{given.rater}.json", path.read_text("utf-8"))
    first = {one.question_id: (one.first, one.turns[one.first].answer) for one in _each(posed)}
    return Human(given, first), wanted


def summarize(store: Store, layout: Layout, config: PredictionConfig) -> str:
    """What all people of a sheet came to, as Markdown, which is also written beside it. Files of other sheets are told."""
    folder = layout.evaluation(PERSON, store.version)
    posed, about = pose(store, layout, config)
    people, others = _of_sheet(sorted(folder.glob(f"answers-{config.split}-{config.seed}-*.json")), about)
    found = store.sql(_BLOCKS, {"split": config.split}).fetchall()
    units = {str(name): (str(unit), float(chance)) for name, unit, chance in found}
    known: dict[tuple[str, str], Known] = {}
    for one in _each(posed):
        unit, chance = units[one.question_id]
        for turn, shown, right in sheet.turns(one):
            known[one.question_id, turn] = Known(unit, right, chance if turn == "parts" else 1 / len(shown.choices))
    told = summary.text(summary.summarized(people, known), store.version, config.split)
    if others:
        told += f"\nOf other sheets, and left out: {', '.join(others)}.\n"
    files.write_text(folder / f"people-{config.split}-{config.seed}.md", told)
    return told


def _of_sheet(paths: Sequence[Path], about: Sheet) -> tuple[list[Answers], list[str]]:
    """What people answered on a sheet; and the names of the files that were saved by another one, of an older format too."""
    people, others = [], []
    for path in paths:
        if answers.format_of(path) == FORMAT and (found := answers.read(path)).sheet == about:
            people.append(found)
        else:
            others.append(path.name)
    return people, others


def pose(store: Store, layout: Layout, config: PredictionConfig) -> tuple[Questions, Sheet]:
    """The questions on a sheet, and what it is of."""
    limited = replace(config, limit=config.limit or QUESTIONS)
    posed = predicting.pose(store, layout, limited)
    assert limited.limit is not None
    return posed, sheet.sheet_of(posed, store.version, limited, limited.limit)


def _each(posed: Questions) -> Iterator[Posed]:
    """One after the other: their photographs need not all be in memory."""
    for several, _ in posed.batches(0, len(posed), 8):
        yield from several
