"""Predictions on a split: what a model is asked, what is kept of it, and that a killed run goes on where it was."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from model.evaluation import predicting
from model.evaluation.adapters.baselines import Oracle, Random
from model.evaluation.asking import Asked, Chosen, Model, Part, Said
from model.evaluation.predicting import PredictionConfig
from model.plum.errors import ModelError
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import Store
from partonomy_data.store.reader import open as open_store

TWO_TURNS = ("part_to_whole", "whole_to_part")


@pytest.fixture(scope="module")
def store(demo_store: Path) -> Iterator[Store]:
    with open_store(demo_store) as opened:
        yield opened


@pytest.fixture
def run(store: Store, tmp_path: Path, demo_store: Path) -> Any:
    """`run(model, …)`: the rows of its predictions, with the questions' own; nothing is written to the shared store."""
    (tmp_path / "runs").symlink_to(demo_store / "runs")

    def predictions(model: Model, **settings: Any) -> list[dict[str, Any]]:
        done = predicting.run(store, Layout(tmp_path), model, PredictionConfig(**settings))
        assert not done.left_out
        rows: list[dict[str, Any]] = pq.read_table(done.path).to_pylist()
        asked = {row["question_id"]: row for row in store.table("questions").to_pylist()}
        return [{**row, "asked": asked[row["question_id"]]} for row in rows]

    return predictions


class Recorder(Random):
    """Takes the choice that its key says, with masks of its own, and remembers what it was asked."""

    name = "recorder"

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Asked] = []
        self.segmented: list[Asked] = []
        self.said: list[Asked] = []

    def choose(self, asked: Sequence[Asked]) -> list[Chosen | None]:
        self.asked += asked
        return super().choose(asked)

    def segment(
        self, asked: Sequence[Asked], answers: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]
    ) -> list[Said | None]:
        self.segmented += asked
        found: list[Said | None] = []
        for one, text, places in zip(asked, answers, spans, strict=True):
            all_of_it = np.ones((one.image.height, one.image.width), bool)
            found.append(Said(text, tuple(Part(*place, all_of_it) for place in places)))
        return found

    def say(self, asked: Sequence[Asked]) -> list[Said | None]:
        self.said += asked
        return [None] * len(asked)


class Near(Random):
    """Scores the first that it is shown best of all, by less than 32 bits can tell in every other question."""

    name = "near"

    def choose(self, asked: Sequence[Asked]) -> list[Chosen | None]:
        steps = (1e-6 if int(one.question_id[-1], 16) % 2 else 1.0 for one in asked)
        scores = [
            tuple(-200 - step * place for place in range(len(one.choices)))
            for one, step in zip(asked, steps, strict=True)
        ]
        return [Chosen(0, one) for one in scores]


def test_a_choice_is_made_by_the_scores_that_are_kept(run: Any) -> None:
    rows = run(Near(), split="train", limit=60)
    tied = [row for row in rows if row["choice"] is None]
    assert 20 < len(tied) < 100
    for row in rows:
        highest = [place for place, score in enumerate(row["scores"]) if score == max(row["scores"])]
        assert [row["choice"]] == (highest if len(highest) == 1 else [None])
        assert row["correct"] is (highest == [row["asked"]["correct_index"]])


def test_the_oracle_is_right_everywhere(run: Any, store: Store) -> None:
    rows = run(Oracle(), split="train", limit=60)
    assert len(rows) == 120
    for row in rows:
        asked = row["asked"]
        assert row["correct"]
        assert row["choice"] == asked["correct_index"]
        if asked["question_type"] in TWO_TURNS:
            assert row["object_choice"] == asked["correct_object_index"]
        else:
            assert row["object_choice"] is None
        right = asked["choices"][asked["correct_index"]]
        assert row["text"] == right["text"]
        assert [one["part"] for one in row["iou"]] == sorted({one["part"] for one in right["spans"]})
        assert all(one["iou"] == 1.0 for one in row["iou"])
        assert {(one["start"], one["end"], one["part"]) for one in row["spans"]} == {
            (one["start"], one["end"], one["part"]) for one in right["spans"]
        }
    assert {row["asked"]["question_type"] for row in rows} >= {"identification", "part_to_whole"}


def test_masks_lie_in_the_photograph_where_the_parts_do(run: Any, store: Store) -> None:
    """Those of a question that shows a crop too."""
    rows = [row for row in run(Oracle(), split="train", limit=120) if row["conditioning"] == "oracle"]
    assert {row["asked"]["referent"] for row in rows} >= {"unique", "crop"}
    sizes = {row["image_id"]: (row["height"], row["width"]) for row in store.table("images").to_pylist()}
    boxes = {row["part_id"]: row["mask"]["counts"] for row in store.table("parts").to_pylist()}
    alone = {
        (row["question_id"], row["part_category"]): boxes[row["part_ids"][0]]
        for row in store.table("question_masks").to_pylist()
        if len(row["part_ids"]) == 1
    }
    compared = 0
    for row in rows:
        for mask in row["masks"]:
            assert (mask["height"], mask["width"]) == sizes[row["asked"]["image_id"]]
            if (row["question_id"], mask["part"]) in alone:
                assert mask["counts"] == alone[row["question_id"], mask["part"]]
                compared += 1
    assert compared > 50


def test_the_phrases_of_parts_come_with_each_choice_in_the_order_that_is_shown(run: Any, store: Store) -> None:
    model = Recorder()
    run(model, split="train", limit=60)
    rows = {row["question_id"]: row for row in store.table("questions").to_pylist()}
    named = 0
    for one in model.asked:
        of = {choice["text"]: choice["spans"] for choice in rows[one.question_id]["choices"]}
        if set(one.choices) == set(of):
            assert one.spans == tuple(
                tuple(sorted((span["start"], span["end"]) for span in of[text])) for text in one.choices
            )
            named += sum(map(len, one.spans))
        else:
            assert one.spans == (), "objects have no parts in their names"
    assert named > 100


def test_choices_are_shown_in_an_order_of_each_question_and_the_same_again(run: Any, store: Store) -> None:
    first, again, other = Recorder(), Recorder(), Recorder()
    for model, seed, limit in ((first, 0, None), (again, 0, 100), (other, 1, 100)):
        run(model, split="train", seed=seed, limit=limit)
    shown, same, others = (
        {(one.question_id, *sorted(one.choices)): list(one.choices) for one in model.asked}
        for model in (first, again, other)
    )
    assert len(same) >= 100
    assert same == {key: shown[key] for key in same}
    # Of another seed are other questions, too.
    assert len(others) >= 100
    assert others.keys() <= shown.keys()
    assert others != {key: shown[key] for key in others}
    right = {
        row["question_id"]: row["choices"][row["correct_index"]]["text"]
        for row in store.table("questions").to_pylist()
        if len(row["choices"]) == 5
    }
    places = Counter(
        one.choices.index(right[one.question_id])
        for one in first.asked
        if one.question_id in right and right[one.question_id] in one.choices
    )
    assert len(places) == 5
    assert max(places.values()) < 0.3 * sum(places.values())


def test_second_turns_follow_the_true_answer_and_the_models_own(run: Any) -> None:
    model = Recorder()
    rows = {(row["question_id"], row["conditioning"]): row for row in run(model, split="train", types=TWO_TURNS)}
    kinds = {row["asked"]["question_type"] for row in rows.values()}
    assert kinds == set(TWO_TURNS)
    seconds = [one for one in model.asked if one.history]
    assert len(seconds) == len(rows)
    histories = Counter((one.question_id, one.history[0].answer) for one in seconds)
    for (question_id, conditioning), row in rows.items():
        asked = row["asked"]
        whole = asked["question_type"] == "whole_to_part"
        choices = asked["object_choices"] if whole else asked["choices"]
        place = row["object_choice"] if whole else row["choice"]
        if conditioning == "oracle":
            place = asked["correct_object_index"] if whole else asked["correct_index"]
        assert histories[question_id, choices[place]["text"]] >= 1
        # The first of the two turns is asked once, whatever follows.
        assert (
            rows[question_id, "oracle"]["object_choice" if whole else "choice"]
            == row["object_choice" if whole else "choice"]
        )
    of_parts = {one.question_id: one for one in model.segmented}
    for (question_id, _), row in rows.items():
        history = of_parts[question_id].history
        assert len(history) == (row["asked"]["question_type"] == "whole_to_part")
        if history:
            assert history[0].answer == row["asked"]["object_choices"][row["asked"]["correct_object_index"]]["text"]


def test_a_surplus_name_and_a_missing_one_count_nothing(run: Any) -> None:
    """The whole photograph for each true name, under the oracle: their IoU are the parts' shares of it."""
    rows = run(Recorder(), split="test", types=("identification",), limit=20)
    for row in rows:
        if row["conditioning"] == "predicted":
            assert row["text"] is row["masks"] is row["iou"] is None
        else:
            assert all(0 < one["iou"] < 0.9 for one in row["iou"])


def test_only_named_sources_are_asked_about(run: Any) -> None:
    every = [row["asked"]["source"] for row in run(Recorder(), split="train")]
    some = [row["asked"]["source"] for row in run(Recorder(), split="train", sources=("paco", "pascal_part"))]
    assert set(some) == {"paco", "pascal_part"} < set(every)
    assert len(some) == sum(source in ("paco", "pascal_part") for source in every)


@pytest.mark.parametrize("together", [1, 3, 64])
def test_how_many_are_asked_together_changes_nothing(run: Any, together: int) -> None:
    rows = run(Recorder(), split="test", limit=30, at_once=together)
    assert rows == run(Recorder(), split="test", limit=30, at_once=7)


class Killed(Recorder):
    """Ends in the midst of the third file."""

    def choose(self, asked: Sequence[Asked]) -> list[Chosen | None]:
        if len({one.question_id for one in self.asked}) > 12:
            raise KeyboardInterrupt
        return super().choose(asked)


def test_a_killed_run_goes_on_where_it_was(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predicting, "PER_FILE", 5)
    settings = {"split": "train", "limit": 22, "at_once": 2}
    expected = run(Recorder(), **settings)
    with pytest.raises(KeyboardInterrupt):
        run(Killed(), **settings)
    left = list((tmp_path / "work" / "predictions").glob("*/*.parquet"))
    assert len(left) == 2
    goes_on = Recorder()
    assert run(goes_on, **settings) == expected
    assert len({one.question_id for one in goes_on.asked}) == 12
    assert not list((tmp_path / "work" / "predictions").iterdir())


def test_a_photograph_that_is_missing_is_told_and_the_others_are_asked(
    store: Store, tmp_path: Path, demo_store: Path
) -> None:
    folder = tmp_path / "partonomy"
    source = demo_store / "demo" / "partonomy"
    for path in source.rglob("*"):
        if path.is_file():
            target = folder / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    images = {row["image_id"]: row["uri"] for row in store.table("images").to_pylist() if row["source"] == "partonomy"}
    asked = [
        row for row in store.table("questions").to_pylist() if row["source"] == "partonomy" and row["split"] == "test"
    ]
    # Not the one that the folder is known by.
    gone = max(
        row["image_id"]
        for row in asked
        if row["image_id"] != min(asked, key=lambda row: row["question_id"])["image_id"]
    )
    (found,) = [path for path in folder.rglob("*") if str(path).endswith(images[gone])]
    found.unlink()
    (tmp_path / "runs").symlink_to(demo_store / "runs")
    config = PredictionConfig(split="test", photographs={"partonomy": str(str(found)[: -len(images[gone])])})
    done = predicting.run(store, Layout(tmp_path), Random(), config)
    assert set(done.left_out) == {row["question_id"] for row in asked if row["image_id"] == gone}
    assert all("the photograph is not here" in why for why in done.left_out.values())
    rows = pq.read_table(done.path).num_rows
    assert rows == 2 * (done.questions - len(done.left_out))


def test_what_cannot_be_asked_is_one_line(run: Any) -> None:
    with pytest.raises(ModelError, match=r"has no questions of splits no such split\."):
        run(Random(), split="no such split")
    with pytest.raises(ModelError, match="no question is of type 'x'"):
        run(Random(), types=("x",))
    with pytest.raises(ModelError, match="at_once and limit must be at least 1"):
        run(Random(), limit=0)
