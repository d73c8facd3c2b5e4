"""One or two models on a general set: every row of the file asked, scored, and written down."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from model.evaluation.adapters import hugging_face, named
from model.evaluation.adapters.hugging_face import TextModel
from model.evaluation.answers import EvaluationError
from model.evaluation.general import reading, saying
from model.evaluation.general.asking import Answered, ask
from model.evaluation.general.kept import Kept, key
from model.evaluation.general.measuring import Sums, differences
from model.evaluation.general.reading import Format, LeftOut, Question
from model.evaluation.general.saying import Outcome
from model.evaluation.general.scoring import METRICS, Pairs
from model.evaluation.job import EvaluationConfig
from model.plum import saving
from model.stored import folder_of
from partonomy_data.store import files
from partonomy_data.store.layout import Layout, new_run_id

#: Rows after which it is told how many are done.
_TELL: int = 256


@dataclass(frozen=True)
class Done:
    """What came of it, and where it is written."""

    outcome: Outcome
    folder: Path
    """`answers-1.jsonl` of the model and `answers-2.jsonl` of the other, `general.json`, `general.md`."""

    def text(self) -> str:
        """Lines for a terminal."""
        return f"{saying.text(self.outcome)}\nwritten to {self.folder}"


def evaluate(
    root: Path,
    model: str,
    general: str,
    images: Path,
    config: EvaluationConfig,
    *,
    against: str | None = None,
    told: Callable[[str, int], None] | None = None,
) -> Done:
    """Asks a model, and another to compare it with, the questions of `pope:FILE`, `textvqa:FILE` or `gqa:FILE`.

    Models are trained PLUMs, which are asked as language models without masks, or `hf:NAME`. A run that was killed goes on where
    it was. `told` hears a model's name and how many rows are done. Raises ModelError, and EvaluationError if no question can be
    scored.
    """
    layout, asks, limit = Layout(root.expanduser().absolute()), config.general.checked(), config.predictions.limit
    form, path = reading.parsed(general)
    names = (model,) if against is None else (model, against)
    for name in names:  # all of them, the file and the photographs' folder, before the first is asked for hours
        _folder(layout, name)
    next(reading.read(form, path, images), None)
    chosen = reading.chosen(reading.read(form, path, images), limit, asks.seed)
    folder = layout.runs / new_run_id() / "general"
    called: list[str] = []
    found: list[Sums] = []
    said: set[Path] = set()
    for number, name in enumerate(names, 1):
        loaded = load(layout, name, config)
        about = key(loaded.name, hugging_face.digest(_folder(layout, name)), form, path, images, asks, config.dtype)
        place = layout.work / "general" / f"{about}.jsonl"
        said.add(place)
        sums = Sums(form)
        answered = ask(loaded, _within(reading.read(form, path, images), chosen, sums), asks, Kept(place))
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"answers-{number}.jsonl").open("w", encoding="utf-8") as file:
            for row in answered:
                file.write(f"{_line(form, row, sums.add(row))}\n")
                if told is not None and sums.rows % _TELL == 0:
                    told(loaded.name, sums.rows)
        if not sums.scored:
            first = f"; such as {sums.problems[0]}" if sums.problems else ""
            raise EvaluationError(f"none of its {sums.rows} rows can be asked{first}", where=str(path))
        called.append(loaded.name)
        found.append(sums)
        del loaded  # before the next is loaded, as there may not be room for two
    outcome = Outcome(
        form, str(path), str(images), asks.prompt, asks.seed, tuple(called), tuple(found),
        tuple(tuple(sums.measured(asks.seed)) for sums in found),
        tuple(differences(found[0], found[1], asks.seed)) if len(found) == 2 else (),
    )  # fmt: skip
    files.write_text(folder / "general.json", json.dumps(saying.data(outcome), indent=2, ensure_ascii=False) + "\n")
    files.write_text(folder / "general.md", saying.markdown(outcome))
    for one in said:
        one.unlink()
    return Done(outcome, folder)


def load(layout: Layout, name: str, config: EvaluationConfig) -> TextModel:
    """A model of words: `hf:NAME`, or the language model of a PLUM, by its folder or its name in the store. Raises ModelError."""
    longest, folder = config.general.longest, _folder(layout, name)
    if name.startswith(named.PREFIX):
        return hugging_face.loaded(name.removeprefix(named.PREFIX), longest, config.dtype)[0]
    return TextModel(folder.name, saving.from_pretrained(folder).plum.backbone, longest)


def _folder(layout: Layout, name: str) -> Path:
    """Where a model lies. Raises ModelError."""
    if name.startswith(named.PREFIX):
        return hugging_face.folder_of(name.removeprefix(named.PREFIX))
    return folder_of(layout, name, "; or name hf:NAME. Others can't be asked a general set")


def _within(
    rows: Iterator[Question | LeftOut], chosen: frozenset[str] | None, sums: Sums
) -> Iterator[Question | LeftOut]:
    """Without the questions beyond the limit, which are counted."""
    for row in rows:
        if isinstance(row, Question) and chosen is not None and row.question_id not in chosen:
            sums.rows += 1
            sums.over += 1
        else:
            yield row


def _line(form: Format, row: Answered | LeftOut, score: Pairs | None) -> str:
    """A row as it is kept: what was said to it and what that is worth in the set's first metric, or why nothing was."""
    if isinstance(row, LeftOut) or score is None:
        assert isinstance(row, LeftOut)
        return json.dumps({"row": row.where, "left_out": row.why, "told": row.what}, ensure_ascii=False)
    said = {"text": row.text} if row.text is not None else {"refused": row.refused}
    kept = {"question_id": row.question.question_id, "image": row.question.image.name, "question": row.question.text}
    return json.dumps(
        {**kept, **said, "answers": row.question.answers, METRICS[form][0]: score[0][0]}, ensure_ascii=False
    )
