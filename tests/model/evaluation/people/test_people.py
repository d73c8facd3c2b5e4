"""From a sheet to numbers: all that is asked is on the page, and what is answered there is measured as a model's answers are."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from model.evaluation import predicting
from model.evaluation.people import answers, sheet
from model.evaluation.people import job as people
from model.evaluation.people.sheet import Sheet
from model.evaluation.predicting import PredictionConfig
from model.evaluation.questions import Posed
from model.plum.errors import ModelError
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import open as open_store
from tests.helpers.command import partonomy

CONFIG = PredictionConfig(split="train", limit=12, seed=3)


@pytest.fixture(scope="module")
def page(own_store: Path) -> Path:
    (own_store / "people.yaml").write_text("predictions: {seed: 3}\n")
    given = ("--split", "train", "--limit", 12, "--config", own_store / "people.yaml")
    done = partonomy("evaluate", "--root", own_store, "--model", "human", *given)
    assert done.status == 0, done.err
    (path,) = (own_store / "evaluations" / "human").glob("*/sheet-train-3.html")
    assert done.out.startswith(f"12 questions of train are in {path}\n")
    return path


@pytest.fixture(scope="module")
def posed(own_store: Path) -> list[Posed]:
    with open_store(own_store) as store:
        found = predicting.pose(store, Layout(own_store), CONFIG)
        return found.read(0, len(found))[0]


def about(page: Path) -> dict[str, Any]:
    found = re.search(r'data-sheet="([^"]*)"', page.read_text())
    assert found is not None
    return dict(json.loads(unescape(found[1])))


def saved(page: Path, posed: list[Posed], folder: Path, rater: str, off: int = 0) -> Path:
    """What the page saves: the right choices; of the first `off` questions the first turn is the next one, its key is wrong."""
    said = []
    for number, one in enumerate(posed):
        for turn, asked, right in sheet.turns(one):
            wrong = number < off and turn == one.first
            choice = (right + wrong) % len(asked.choices)
            key = "wrong" if wrong else "right"
            said.append({"question_id": one.question_id, "turn": turn, "choice": choice, "key": key, "seconds": 1.5})
    path = folder / f"{rater}.json"
    path.write_text(json.dumps({"sheet": about(page), "rater": rater, "answers": said}))
    return path


def test_all_that_is_asked_is_on_the_page_and_nothing_is_fetched(page: Path, posed: list[Posed]) -> None:
    content = page.read_text()
    assert len(posed) == 12
    turns = [(one, *turn) for one in posed for turn in sheet.turns(one)]
    assert content.count("<article ") == len(turns) == sum(len(one.turns) for one in posed)
    shown = [unescape(one) for one in re.findall(r"\d\. ([^<]*)</label>", content)]
    assert all(text in shown for _, _, asked, _ in turns for text in asked.choices)
    keys = [unescape(one) for one in re.findall(r'<span class="right">([^<]*)</span>', content)]
    assert keys == [one.turns[turn].choices[one.turns[turn].correct] for one, turn, _, _ in turns]
    assert not re.search(r'(src|href)="(?!data:image/jpeg;base64,)', content)
    assert Sheet(**{**about(page), "types": (), "sources": ()}).digest == about(page)["digest"]


def test_people_are_measured_as_models_are_and_together(
    own_store: Path, page: Path, posed: list[Posed], tmp_path: Path
) -> None:
    for rater, off in (("anna", 0), ("ben", 4)):
        path = saved(page, posed, tmp_path, rater, off)
        done = partonomy("evaluate", "--root", own_store, "--model", f"human:{path}")
        assert done.status == 0, done.err
    sql = (
        "SELECT model_id, metric, value, n FROM evaluations WHERE split = 'train' AND question_type = 'all'"
        " AND slice = 'all' AND model_id LIKE 'human-%'"
    )
    with open_store(own_store) as store:
        found = {(model, metric): (value, n) for model, metric, value, n in store.sql(sql).fetchall()}
    assert found["human-anna", "accuracy"] == (1.0, 12)
    wrong_parts = sum(one.first == "parts" for one in posed[:4])
    assert found["human-ben", "accuracy"] == (pytest.approx(1 - wrong_parts / 12), 12)
    assert not any("iou" in metric or "span" in metric for _, metric in found)
    turns = sum(len(one.turns) for one in posed)
    summary = (page.parent / "people-train-3.md").read_text()
    assert summary in done.out
    assert f"| anna | {turns} | 1.000 |" in summary
    assert f"| ben | {turns} | {1 - 4 / turns:.3f} |" in summary
    assert f"| pairs of people who agree | {1 - 4 / turns:.3f} [" in summary
    # One calls the key wrong and one right: that is no majority.
    assert "| wrong keys | 0.000 [" in summary


def test_a_second_turn_after_a_wrong_first_answer_is_not_known(
    own_store: Path, page: Path, posed: list[Posed], tmp_path: Path
) -> None:
    path = saved(page, posed, tmp_path, "carl", len(posed))
    with open_store(own_store) as store:
        person, _ = people.person(store, Layout(own_store), path, PredictionConfig())
    two = [one for one in posed if one.second is not None]
    assert two
    for one in two:
        assert one.second is not None
        first, truth = one.turns[one.first], one.turns[one.first].answer
        (known,) = person.choose([one.asked(one.second, truth)])
        assert known is not None
        other = next(text for text in first.choices if text != truth)
        assert person.choose([one.asked(one.second, other)]) == [None]


def test_what_was_saved_elsewhere_is_one_line(own_store: Path, page: Path, posed: list[Posed], tmp_path: Path) -> None:
    good = json.loads(saved(page, posed, tmp_path, "dora").read_text())
    first = {name: value for name, value in good["sheet"].items() if name != "sources"}
    twice = [*good["answers"], good["answers"][0]]
    beyond = [{**good["answers"][0], "choice": 99}]
    for change, says in (
        ({"sheet": {**good["sheet"], "version": "f" * 16}}, "it answers questions of version ffffffffffffffff"),
        ({"sheet": {**good["sheet"], "digest": "other"}}, "its sheet had other questions"),
        ({"sheet": {**good["sheet"], "format": 9}}, "its sheet is of format 9, and this reads format 2"),
        ({"sheet": {**first, "format": 1}}, "its sheet is of format 1, and this reads format 2. Write the sheet again"),
        ({"rater": "../x"}, "'../x' is no name"),
        ({"answers": twice}, "a question is answered twice"),
        ({"answers": beyond}, "choice 99 of"),
        ({"answers": 3}, "it holds no answers of a sheet"),
    ):
        path = tmp_path / "bad.json"
        path.write_text(json.dumps({**good, **change}))
        done = partonomy("evaluate", "--root", own_store, "--model", f"human:{path}")
        assert (done.status, done.out) == (2, ""), says
        assert says in done.err
    path.write_text(json.dumps(good)[:-1] + ', "more": ' + "[" * 200_000 + "]" * 200_000 + "}")
    with pytest.raises(ModelError, match="it holds no answers of a sheet"):
        answers.read(path)
    path.write_text(json.dumps({**good, "sheet": {**good["sheet"], "seed": 10**30}}))
    done = partonomy("evaluate", "--root", own_store, "--model", f"human:{path}")
    assert (done.status, done.out) == (2, "")
    assert "predictions.seed is 1000" in done.err
    with pytest.raises(ModelError, match="can't be read"):
        answers.read(tmp_path / "none.json")


def test_a_sheet_says_all_that_its_digest_depends_on(own_store: Path) -> None:
    with open_store(own_store) as store:
        layout = Layout(own_store)
        wanted = [PredictionConfig(split="train", limit=n, sources=of) for n, of in ((5, ()), (6, ()), (5, ("paco",)))]
        made = [people.pose(store, layout, one)[1] for one in wanted]
    assert len({one.digest for one in made}) == 3
    assert asdict(made[0])["limit"] == 5
    assert made[2].sources == ("paco",)


def test_who_answers_a_sheet_of_one_source_is_asked_its_questions(own_store: Path, tmp_path: Path) -> None:
    """And those of other sheets of the split and seed, which were saved before, are no part of what is summed up."""
    config = PredictionConfig(split="train", limit=9, seed=4, sources=("pascal_part",))
    with open_store(own_store) as store:
        found, about_it = people.pose(store, Layout(own_store), config)
        folder = Layout(own_store).evaluation("human", store.version)
        said = [
            {"question_id": one.question_id, "turn": turn, "choice": right}
            for one in found.read(0, len(found))[0]
            for turn, _, right in sheet.turns(one)
        ]
    path = tmp_path / "erin.json"
    content = {"sheet": asdict(about_it), "rater": "erin", "answers": said}
    path.write_text(json.dumps(content))
    folder.mkdir(parents=True, exist_ok=True)
    old = {**content, "sheet": {**content["sheet"], "format": 1}, "rater": "finn"}
    (folder / "answers-train-4-finn.json").write_text(json.dumps(old))
    whole = {**content, "sheet": {**content["sheet"], "sources": [], "digest": "of all"}, "rater": "gwen"}
    (folder / "answers-train-4-gwen.json").write_text(json.dumps(whole))
    done = partonomy("evaluate", "--root", own_store, "--model", f"human:{path}")
    assert done.status == 0, done.err
    assert re.search(r"^accuracy +1\.000", done.out, re.MULTILINE)
    assert f"| erin | {len(said)} | 1.000 |" in done.out
    assert "Of other sheets, and left out: answers-train-4-finn.json, answers-train-4-gwen.json." in done.out
    assert "| finn" not in done.out
    assert "| gwen" not in done.out
