"""Predictions in files: what is read back is worth what it was, and no line of a file is lost in silence."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from model.evaluation import job
from model.evaluation.choices import best
from model.evaluation.job import Evaluated, EvaluationConfig
from model.evaluation.predicting import PredictionConfig
from model.evaluation.saved import writing
from model.plum.errors import ModelError
from partonomy_data.store.reader import open as open_store
from tests.helpers.command import partonomy

SETTINGS = EvaluationConfig(PredictionConfig(split="test"))


@pytest.fixture(scope="module")
def oracle(own_store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Evaluated, list[dict[str, Any]]]:
    """The oracle on the split, and its predictions as lines."""
    done = job.evaluate(own_store, "oracle", SETTINGS)
    path = tmp_path_factory.mktemp("lines") / "copy.jsonl"
    with open_store(own_store) as store:
        assert writing.write(store, "oracle", "test", 0, path) == 2 * done.measured.n
    return done, [json.loads(line) for line in path.read_text().splitlines()]


def evaluated(root: Path, path: Path, said: list[Any]) -> Evaluated:
    path.write_text("".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in said))
    return job.evaluate(root, path, SETTINGS)


def rows(done: Evaluated) -> list[dict[str, Any]]:
    return [{**row, "model_id": ""} for row in done.measured.rows]


def whole(done: Evaluated) -> dict[str, float]:
    return {
        row["metric"]: row["value"]
        for row in done.measured.rows
        if (row["question_type"], row["slice"]) == ("all", "all")
    }


def kept(root: Path, name: str) -> dict[tuple[str, str], dict[str, Any]]:
    with open_store(root) as store:
        found = store.table("predictions").to_pylist()
    return {(row["question_id"], row["conditioning"]): row for row in found if row["model_id"] == name}


@pytest.mark.parametrize("model", ["oracle", "random"])
def test_own_predictions_written_and_read_back_have_the_same_metrics(
    own_store: Path, tmp_path: Path, model: str
) -> None:
    first = job.evaluate(own_store, model, SETTINGS)
    with open_store(own_store) as store:
        writing.write(store, model, "test", 0, tmp_path / f"{model}-copy.jsonl")
    again = job.evaluate(own_store, tmp_path / f"{model}-copy.jsonl", SETTINGS)
    assert rows(again) == rows(first)
    assert len(rows(first)) > 100
    mine, copy = kept(own_store, model), kept(own_store, f"{model}-copy")
    assert {place: {**row, "model_id": ""} for place, row in mine.items()} == {
        place: {**row, "model_id": ""} for place, row in copy.items()
    }


def test_the_order_of_lines_changes_nothing(own_store: Path, tmp_path: Path, oracle: Any) -> None:
    done = evaluated(own_store, tmp_path / "reversed.jsonl", oracle[1][::-1])
    assert rows(done) == rows(oracle[0])


def test_every_line_is_used_or_counted_and_what_is_missing_counts_0(
    own_store: Path, tmp_path: Path, oracle: Any
) -> None:
    said = [one for one in oracle[1] if one["conditioning"] == "oracle"]
    n = oracle[0].measured.n
    bad = [
        "{",
        '"text"',
        json.dumps({**said[0], "colour": 1}),
        json.dumps({**said[0], "chosen": 99}),
        json.dumps({**said[0], "scores": [0.5]}),
        json.dumps({**said[0], "chosen": "B"}),
        "[" * 100_000,
    ]
    surplus = [{"question_id": "qst_of_another_split", "chosen": 0}]
    done = evaluated(own_store, tmp_path / "mixed.jsonl", [*bad, *surplus, "", *said[2:], *said[5:7]])
    taken = done.taken
    assert taken is not None
    assert (taken.used, taken.surplus, taken.doubled, taken.malformed) == (n - 2, 1, 2, len(bad))
    assert taken.lines == taken.used + taken.surplus + taken.doubled + taken.malformed
    assert taken.missing == 2
    assert len(taken.problems) == len(bad) + 3
    assert all("\n" not in one and one.startswith("mixed.jsonl:") for one in taken.problems)
    assert any("mixed.jsonl:4: `chosen` is 99" in one for one in taken.problems)
    assert whole(done)["accuracy"] == pytest.approx((n - 2) / n)
    assert done.measured.n == n
    assert taken.text() in job.as_text(done)


def test_the_first_of_two_lines_counts_whatever_the_second_says(own_store: Path, tmp_path: Path, oracle: Any) -> None:
    said = [one for one in oracle[1] if one["conditioning"] == "oracle"]
    wrong = [{**one, "chosen": None} for one in said]
    done = evaluated(own_store, tmp_path / "twice.jsonl", [*wrong, *said])
    assert whole(done).get("accuracy", 0.0) == 0.0
    assert done.taken is not None
    assert done.taken.doubled == len(said)


def test_a_line_that_names_no_conditioning_chooses_for_both_and_segments_for_its_own_words(
    own_store: Path, tmp_path: Path, oracle: Any
) -> None:
    said = [
        {name: value for name, value in one.items() if name != "conditioning"}
        for one in oracle[1]
        if one["conditioning"] == "predicted"
    ]
    found = whole(evaluated(own_store, tmp_path / "plain.jsonl", said))
    assert found["accuracy"] == found["object_accuracy"] == found["giou_micro_predicted"] == 1.0
    assert "giou_micro_oracle" not in found


def test_names_in_another_case_are_the_same_names_in_texts_and_of_masks(
    own_store: Path, tmp_path: Path, oracle: Any
) -> None:
    def loud(named: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
        return named and [{**one, "part": one["part"].upper()} for one in named]

    said = [{**one, "spans": loud(one.get("spans")), "masks": loud(one.get("masks"))} for one in oracle[1]]
    done = evaluated(own_store, tmp_path / "loud.jsonl", said)
    assert rows(done) == rows(oracle[0])
    mine, other = kept(own_store, "loud"), kept(own_store, "oracle")
    assert {place: row["iou"] for place, row in mine.items()} == {place: row["iou"] for place, row in other.items()}


def test_masks_may_be_run_lengths_of_either_kind_or_polygons_and_a_wrong_one_counts_0(
    own_store: Path, tmp_path: Path, oracle: Any
) -> None:
    from partonomy_data import masks

    name = next(one["question_id"] for one in oracle[1] if one.get("masks"))
    own = next(one for one in oracle[1] if one["question_id"] == name and one["conditioning"] == "predicted")
    size = own["masks"][0]["rle"]["size"]
    square = masks.from_polygons([[2, 2, 12, 2, 12, 12, 2, 12]], *size)[0]
    dense = masks.decode(square).T.ravel()
    changes = [0, *[place for place in range(1, len(dense)) if dense[place] != dense[place - 1]], len(dense)]
    counts = [after - before for before, after in pairwise(changes)]
    given = [
        {"part": "a", "polygons": [[2, 2, 12, 2, 12, 12, 2, 12]]},
        {"part": "b", "rle": {"size": size, "counts": counts}},
        {"part": "c", "rle": masks.to_json(square)},
        {"part": "d", "rle": {"size": [size[0] + 1, size[1]], "counts": counts}},
        {"part": "e", "rle": {"size": size, "counts": "~~~"}},
        {"part": "f", "rle": {"counts": "12"}},
        {"part": "g"},
        {"part": "h", "polygons": [[1, 1, 2]]},
        {"part": "i", "polygons": [[-9, -9, -5, -9, -5, -5]]},
    ]
    done = evaluated(own_store, tmp_path / "shapes.jsonl", [{"question_id": name, "masks": given}])
    row = kept(own_store, "shapes")[name, "predicted"]
    sound = {one["part"]: one["counts"] for one in row["masks"] if one["counts"]}
    assert sound["a"] == sound["b"] == sound["c"] == square.counts.decode()
    assert set(sound) == {"a", "b", "c", "i"}
    assert {one["part"] for one in row["iou"]} >= set("abcdefghi")
    assert done.taken is not None
    for part in "defgh":
        assert sum(f"the mask of '{part}' counts 0" in one for one in done.taken.problems) == 1
        assert sum(f"the mask of '{part}' can't be used" in one for one in done.measured.problems) == 1


def test_scores_that_tie_are_no_choice(own_store: Path, tmp_path: Path, oracle: Any) -> None:
    assert best([0.1, 0.7, 0.7]) is best([0.1, float("nan")]) is best(None) is None
    assert best([0.1, 0.8, 0.7]) == 1
    said = [one for one in oracle[1] if one["conditioning"] == "oracle"]
    with open_store(own_store) as store:
        n = {row["question_id"]: len(row["choices"]) for row in store.table("questions").to_pylist()}
    flat = [{"question_id": one["question_id"], "scores": [0.5] * n[one["question_id"]]} for one in said]
    assert whole(evaluated(own_store, tmp_path / "flat.jsonl", flat))["accuracy"] == 0.0


def test_what_is_correct_and_what_is_accurate_are_told_by_the_same_numbers(
    own_store: Path, tmp_path: Path, oracle: Any
) -> None:
    """Scores that are the same in the 32 bits that are kept are a tie, whichever choice is named beside them."""
    with open_store(own_store) as store:
        sql = "SELECT question_id, correct_index, len(choices) FROM questions WHERE split = 'test' ORDER BY 1"
        asked = store.sql(sql).fetchall()
    said = []
    for number, (name, right, n) in enumerate(asked):
        near = [-200.000001 if place == right else -200.000002 - place for place in range(n)]
        clear = [0.0 if place == right else -1.0 for place in range(n)]
        said.append({"question_id": name, "scores": near if number % 2 else clear, "chosen": right})
    done = evaluated(own_store, tmp_path / "near.jsonl", said)
    assert done.taken is not None
    assert (done.taken.used, done.taken.malformed) == (len(said), 0)
    found = [one for place, one in kept(own_store, "near").items() if place[1] == "oracle"]
    share = sum(one["correct"] for one in found) / len(found)
    assert whole(done)["accuracy"] == pytest.approx(share)
    tied = {one["question_id"] for one in found if one["choice"] is None}
    assert {one["question_id"] for one in found} - tied == {one["question_id"] for one in found if one["correct"]}
    assert len(tied) > 1


def test_a_line_whose_choice_is_not_that_of_its_scores_is_malformed(
    own_store: Path, tmp_path: Path, oracle: Any
) -> None:
    said = [one for one in oracle[1] if one["conditioning"] == "oracle"]
    with open_store(own_store) as store:
        n = {row["question_id"]: len(row["choices"]) for row in store.table("questions").to_pylist()}
    one = said[0]
    right, count = one["chosen"], n[one["question_id"]]
    scores = [0.0 if place == right else 1.0 + place for place in range(count)]
    huge = [1e300 if place == right else 0.0 for place in range(count)]
    bad = [{**one, "scores": scores}, {"question_id": one["question_id"], "scores": huge}]
    done = evaluated(own_store, tmp_path / "contrary.jsonl", [*bad, *said[1:]])
    assert done.taken is not None
    assert (done.taken.used, done.taken.malformed, done.taken.missing) == (len(said) - 1, 2, 1)
    highest = scores.index(max(scores))
    assert f"contrary.jsonl:1: `chosen` is {right}, and the highest of `scores` is at {highest}; it is left out" in (
        done.taken.problems
    )
    assert "`scores` hold 1e+300, which is more than 32 bits can hold" in done.taken.problems[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("", "no line of it is about a question of test"),
        ('{"question_id": "qst_0", "chosen": 1}\n', "1 surplus"),
    ],
)
def test_a_file_that_says_nothing_is_one_line(
    own_store: Path, tmp_path: Path, content: str | None, message: str
) -> None:
    path = tmp_path / "nothing.jsonl"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ModelError, match=message) as caught:
        job.evaluate(own_store, path, SETTINGS)
    assert "\n" not in str(caught.value)
    assert not kept(own_store, "nothing")


def test_a_file_is_asked_what_a_model_is_with_the_same_settings(own_store: Path, tmp_path: Path) -> None:
    with open_store(own_store) as store:
        sql = "SELECT question_id, correct_index FROM questions WHERE split = 'train'"
        said = [{"question_id": name, "chosen": right} for name, right in store.sql(sql).fetchall()]
    path = tmp_path / "some.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in said))
    wanted = EvaluationConfig(PredictionConfig(split="train", sources=("pascal_part",), limit=5))
    done = job.evaluate(own_store, path, wanted)
    model = job.evaluate(own_store, "frequent", wanted)
    assert kept(own_store, "some").keys() == kept(own_store, "frequent").keys()
    assert done.measured.n == model.measured.n == 5
    assert whole(done)["accuracy"] == 1.0
    assert done.taken is not None
    assert (done.taken.used, done.taken.surplus) == (5, len(said) - 5)


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"sources": ("nope",)}, "has no questions of splits test and sources nope"),
        ({"limit": -1}, "limit must be at least 1"),
        ({"types": ("nope",)}, "no question is of type 'nope'"),
    ],
)
def test_settings_that_no_model_can_be_asked_with_are_refused_for_a_file_too(
    own_store: Path, tmp_path: Path, wanted: dict[str, Any], says: str
) -> None:
    (tmp_path / "refused.jsonl").write_text("")
    for model in (tmp_path / "refused.jsonl", "random"):
        with pytest.raises(ModelError, match=says):
            job.evaluate(own_store, model, EvaluationConfig(PredictionConfig(**{"split": "test", **wanted})))


@pytest.mark.parametrize(
    "name",
    ["oracle", "api-gpt-4o", "hf-llava", "human-anna", "sam-box-vit", "sam-point-vit", "plum-0123--blank-image"],
)
def test_a_file_may_not_take_the_place_of_a_model(own_store: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.jsonl"
    path.write_text("")
    with pytest.raises(ModelError, match=rf"model {name}\. Give the file another name, such as my-{name}\.jsonl"):
        job.evaluate(own_store, path, SETTINGS)


def of_the_papers_code(root: Path, own: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The oracle's answers, as that code would have written them."""
    with open_store(root) as store:
        asked = {row["question_id"]: row for row in store.table("questions").to_pylist()}
        files = {row["image_id"]: row["file_name"] for row in store.table("images").to_pylist()}
    found = []
    for line in own:
        row = asked[line["question_id"]]
        choices = [one["text"] for one in row["choices"]]
        objects = [one["text"] for one in row["object_choices"] or ()]
        found.append(
            {
                "image_path": f"/somewhere/else/{files[row['image_id']]}",
                "question_type": row["question_type"],
                "questions": [one for one in (row["question"], row["object_question"]) if one],
                "parts_answer_choices": choices[::-1],
                "gt_parts_answer": choices[row["correct_index"]],
                "predicted_parts_answer": choices[line["chosen"]],
                "object_answer_choices": objects or None,
                "predicted_object_answer": objects[line["object_chosen"]] if objects else None,
                "predicted_masks": [{**one["rle"], "label": one["part"]} for one in line["masks"]],
                "mask_confidences": [one.get("score", 0.0) for one in line["masks"]],
                "metrics": None,
            }
        )
    return found


def test_the_papers_own_file_of_predictions_is_read(own_store: Path, tmp_path: Path, oracle: Any) -> None:
    said = of_the_papers_code(own_store, [one for one in oracle[1] if one["conditioning"] == "oracle"])
    strange = {**said[0], "image_path": "never_seen.jpg"}
    path = tmp_path / "theirs.json"
    path.write_text(json.dumps({"metrics": {}, "predictions": [*said, strange, {"image_path": 3}]}))
    done = job.evaluate(own_store, path, SETTINGS)
    found, own = whole(done), whole(oracle[0])
    assert done.taken is not None
    assert (done.taken.used, done.taken.surplus, done.taken.malformed) == (len(said), 1, 1)
    for metric in (
        "accuracy",
        "object_accuracy",
        "both_accuracy",
        "giou_micro_oracle",
        "giou_macro_oracle",
        "ap50_oracle",
    ):
        assert found[metric] == own[metric]
    path.write_text("[]")
    with pytest.raises(ModelError, match="is no file of predictions"):
        job.evaluate(own_store, path, SETTINGS)


def test_the_command_takes_a_file_in_the_place_of_a_model(own_store: Path, tmp_path: Path, oracle: Any) -> None:
    path = tmp_path / "given.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in oracle[1]))
    done = partonomy("evaluate", "--root", own_store, "--model", path, "--split", "test")
    assert done.status == 0, done.err
    assert f"{len(oracle[1])} lines: {len(oracle[1])} used" in done.out
