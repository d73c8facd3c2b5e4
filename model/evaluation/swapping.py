"""Does an answer follow the photograph? Each balanced question is asked again with the photograph of a sister of its block.

The questions of a block have the same text and the same choices, and each choice is right in one of their photographs. So with a
sister's photograph the sister's choice is right. A model that looks takes it; one that reads takes what it took before. Where the
true object is told first, only blocks of one object category are asked: what is told must be true of the sister's photograph too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from model.evaluation import candidates, predicting
from model.evaluation.asking import Asked, Chosen, Model
from model.evaluation.intervals import Interval, bounds, key_of, ratio, resampled
from model.evaluation.job import EvaluationConfig
from model.evaluation.measuring import Measured, write
from model.evaluation.questions import Posed, Questions
from model.plum.errors import ModelError
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import Store
from partonomy_data.store.reader import open as open_store

#: What is taken with a sister's photograph: the sister's right choice; the one that was right before; the one taken before.
METRICS: Final = ("swap_follows", "swap_stays", "swap_same")
CHANCE: Final = "swap_chance"
#: Where the true object is told first, the sister's must be the same: else the text contradicts the photograph.
_BLOCKS: Final = """SELECT question_id, block_id FROM (
        SELECT *, object_choices[correct_object_index + 1].object_category AS told FROM questions)
    WHERE split = $split AND balanced AND block_id IS NOT NULL
    QUALIFY question_type <> 'whole_to_part' OR min(told) OVER (PARTITION BY block_id) = max(told) OVER (PARTITION BY block_id)
    ORDER BY block_id, question_id"""
_GROUPS: Final = """SELECT block_id, min(group_id) FROM questions
    WHERE split = $split AND block_id IS NOT NULL AND group_id IS NOT NULL GROUP BY block_id"""


@dataclass(frozen=True)
class Swapped:
    """A question that was asked with the photograph of a sister."""

    block: str
    question_type: str
    follows: bool
    stays: bool
    same: bool
    chance: float
    """Of a choice."""


@dataclass(frozen=True)
class Pair:
    """A question, and a sister whose photograph it is asked with."""

    block: str
    posed: Posed
    sister: Posed

    def asked(self) -> tuple[Asked, Asked]:
        """As it is, and with the sister's photograph; the second of two turns follows the true first answer."""
        earlier = self.posed.turns[self.posed.first].answer if self.posed.first != "parts" else None
        own = self.posed.asked("parts", earlier)
        view = self.sister.turns["parts"]
        return own, replace(own, view_id=view.view_id, image=view.view.image)

    def came_to(self, before: Chosen | None, after: Chosen | None) -> Swapped:
        """What the choices say, by their texts."""
        own, sister = self.posed.turns["parts"], self.sister.turns["parts"]
        shown = [own.choices[place] for place in self.posed.shuffled["parts"]]
        was, now = (shown[one.place] if one is not None and one.place is not None else None for one in (before, after))
        return Swapped(
            self.block,
            self.posed.question_type,
            now == sister.choices[sister.correct],
            now == own.choices[own.correct],
            now is not None and now == was,
            1 / len(shown),
        )


def swap(
    root: Path,
    model: str | Path,
    config: EvaluationConfig,
    *,
    version: str | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Measured:
    """Asks a model each balanced question of a split as it is, and with a sister's photograph.

    The shares are rows of the table `evaluations`, of all questions and of each type. Raises ModelError: there are no blocks,
    or the model can't be asked (predictions in a file, a person, a model behind a server, the oracle).
    """
    layout, asks = Layout(root.expanduser().absolute()), config.predictions
    with open_store(layout.root, version) as store:
        asks.selection()  # before a model is loaded
        loaded, _ = candidates.load(
            layout, store, model, asks, longest=config.longest, sam_size=config.sam_size, dtype=config.dtype
        )
        if loaded.name == "oracle":
            raise ModelError("the oracle looks at no photograph, so that none can be exchanged", where=str(model))
        posed = predicting.pose(store, layout, replace(asks, limit=None))
        blocks = _blocks(store, asks.split, posed, asks.limit)
        done: list[Swapped] = []
        for number, several in enumerate(blocks, 1):
            done += _of_block(loaded, posed, several)
            if told is not None:
                told(number, len(blocks))
        if not done:
            raise ModelError(f"{asks.split} has no blocks of questions whose photographs could be exchanged")
        groups = {str(block): str(group) for block, group in store.sql(_GROUPS, {"split": asks.split}).fetchall()}
        found = Measured(list(_rows(done, groups, loaded.name, store.version, asks.split)), [], len(done))
        folder = layout.evaluation(loaded.name, store.version)
        folder.mkdir(parents=True, exist_ok=True)
        write(found, folder / f"evaluations-swapped-{asks.split}-{asks.seed}.parquet")
        return found


def as_text(measured: Measured) -> str:
    """What came of it, as lines for a terminal."""
    by_metric = {row["metric"]: row for row in measured.rows if row["question_type"] == "all"}
    lines = ["with the photograph of a sister question:"]
    for metric, what in zip(
        METRICS,
        ("takes the choice that is right there", "takes the choice that was right before", "takes what it took before"),
        strict=True,
    ):
        row = by_metric[metric]
        interval = "" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"
        lines.append(f"  {what:<40} {row['value']:.3f}{interval}")
    lines.append(f"  {by_metric[CHANCE]['n']} questions; chance is {by_metric[CHANCE]['value']:.3f}")
    return "\n".join(lines)


def _blocks(store: Store, split: str, posed: Questions, limit: int | None) -> list[tuple[str, list[int]]]:
    """Block → the places of its questions; those of two and more. At most `limit` questions, or one block."""
    place = {name: number for number, name in enumerate(posed.names())}
    found: dict[str, list[int]] = {}
    for name, block in store.sql(_BLOCKS, {"split": split}).fetchall():
        if name in place:
            found.setdefault(block, []).append(place[name])
    several = [(block, places) for block, places in found.items() if len(places) > 1]
    if limit is None:
        return several
    kept: list[tuple[str, list[int]]] = []
    count = 0
    for block, places in sorted(several, key=lambda one: key_of(one[0])):
        if kept and count + len(places) > limit:
            break
        kept.append((block, places))
        count += len(places)
    return kept


def _of_block(model: Model, posed: Questions, block: tuple[str, Sequence[int]]) -> Iterator[Swapped]:
    name, places = block
    questions = [one for place in places for one in posed.read(place, place + 1)[0]]
    if len(questions) < 2:
        return
    pairs = [Pair(name, one, questions[(number + 1) % len(questions)]) for number, one in enumerate(questions)]
    asked = [pair.asked() for pair in pairs]
    made = model.choose([one for both in asked for one in both])
    for pair, before, after in zip(pairs, made[::2], made[1::2], strict=True):
        yield pair.came_to(before, after)


def _rows(
    done: Sequence[Swapped], groups: Mapping[str, str], model_id: str, version: str, split: str
) -> Iterator[dict[str, Any]]:
    """Of all types together, and of each. `groups`: block → its group, which is what is drawn where types count together."""
    for kind in ("all", *sorted({one.question_type for one in done})):
        some = [one for one in done if kind in ("all", one.question_type)]
        of = {one.block: groups.get(one.block, one.block) if kind == "all" else one.block for one in some}
        units = sorted(set(of.values()))
        number = {unit: place for place, unit in enumerate(units)}
        sums = np.zeros((len(units), len(METRICS) + 2))
        for one in some:
            sums[number[of[one.block]]] += (one.follows, one.stays, one.same, one.chance, 1)
        drawn = resampled(np.array([key_of(unit) for unit in units], np.uint64), sums)
        for column, metric in enumerate((*METRICS, CHANCE)):
            value = float(ratio(sums.sum(0), column, -1))
            told = Interval(value, np.nan, np.nan)
            if metric != CHANCE:
                told = bounds(value, ratio(drawn, column, -1), len(units))
            yield {
                "model_id": model_id,
                "version": version,
                "split": split,
                "question_type": kind,
                "slice": "all",
                "metric": metric,
                "value": told.value,
                "low": None if np.isnan(told.low) else told.low,
                "high": None if np.isnan(told.high) else told.high,
                "n": len(some),
                "n_skipped": 0,
            }
