"""Sheets are written into the store, and the files that they save are taken in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from model.evaluation import predicting
from model.evaluation.people import answers, sheet, summary
from model.evaluation.people.answers import Answers, Human
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
    posed, about = _posed(store, layout, config)
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
    if given.version != store.version:
        raise ModelError(
            f"it answers questions of version {given.version}, not {store.version}",
            where=str(path),
            mend=f"Add --version {given.version}",
        )
    wanted = replace(config, split=given.split, seed=given.seed, limit=given.limit, types=given.types)
    posed, about = _posed(store, layout, wanted)
    if about.digest != given.digest:
        raise ModelError("its sheet had other questions", where=str(path), mend="Write the sheet again")
    folder = layout.evaluation(PERSON, store.version)
    folder.mkdir(parents=True, exist_ok=True)
    files.write_text(folder / f"answers-{given.split}-{given.seed}-{given.rater}.json", path.read_text("utf-8"))
    asked = _all(posed)
    types = {one.question_id: one.question_type for one in asked}
    return Human(given, types, {one.question_id: one.turns[one.first].answer for one in asked}), wanted


def summarize(store: Store, layout: Layout, config: PredictionConfig) -> str:
    """What all people of a sheet came to, as Markdown, which is also written beside it."""
    folder, asked = layout.evaluation(PERSON, store.version), _all(_posed(store, layout, config)[0])
    people: list[Answers] = [
        answers.read(one) for one in sorted(folder.glob(f"answers-{config.split}-{config.seed}-*.json"))
    ]
    found = store.sql(_BLOCKS, {"split": config.split}).fetchall()
    units = {str(name): (str(unit), float(chance)) for name, unit, chance in found}
    known: dict[tuple[str, str], Known] = {}
    for one in asked:
        unit, chance = units[one.question_id]
        for turn, shown, right in sheet.turns(one):
            known[one.question_id, turn] = Known(unit, right, chance if turn == "parts" else 1 / len(shown.choices))
    told = summary.text(summary.summarized(people, known), store.version, config.split)
    files.write_text(folder / f"people-{config.split}-{config.seed}.md", told)
    return told


def _posed(store: Store, layout: Layout, config: PredictionConfig) -> tuple[Questions, sheet.Sheet]:
    limited = replace(config, limit=config.limit or QUESTIONS)
    posed = predicting.pose(store, layout, limited)
    assert limited.limit is not None
    return posed, sheet.sheet_of(posed, store.version, limited.split, limited.seed, limited.limit, limited.types)


def _all(posed: Questions) -> list[Posed]:
    return [one for several, _ in posed.batches(0, len(posed), 8) for one in several]
