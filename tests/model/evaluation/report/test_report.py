"""Reports: they say what the store's numbers say, hold all that they need, and are made again without a model."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from model.evaluation import gaps, job, measuring
from model.evaluation.answers import EvaluationError
from model.evaluation.gaps import Gap
from model.evaluation.intervals import Interval
from model.evaluation.job import Evaluated, EvaluationConfig
from model.evaluation.measuring import Measured
from model.evaluation.predicting import PredictionConfig
from model.evaluation.report import examples, figures, gathering, markdown, page, saying
from model.evaluation.report.figures import Bar
from model.evaluation.report.gathering import Gathered
from model.evaluation.report.job import rewrite, write
from model.plum import saving
from model.plum.saving import Origin
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import open as open_store
from tests.helpers.command import partonomy
from tests.model.evaluation import made_up
from tests.model.plum.tiny import trained


class Elements(HTMLParser):
    """The elements of a page, their attributes, and what is open at the end."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def located(own_store: Path) -> Evaluated:
    return job.evaluate(own_store, "mean-location", EvaluationConfig(PredictionConfig(split="test")))


def test_every_number_of_the_report_is_the_stores(own_store: Path, located: Evaluated) -> None:
    with open_store(own_store) as store:
        rows = [row for row in store.table("evaluations").to_pylist() if row["model_id"] == "mean-location"]
    by_place = {(row["question_type"], row["slice"], row["metric"]): row for row in rows}
    text = located.report.text
    assert located.report.markdown.read_text() == text
    head, *lines = re.search(r"## Masks\n\n(.*?)\n\n", text, re.DOTALL)[1].splitlines()  # type: ignore[index]
    kinds = [cell.strip() for cell in head.strip("|").split("|")][1:]
    assert kinds[0] == "all"
    seen = 0
    for line in lines[1:]:
        metric, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        for kind, cell in zip(kinds, cells, strict=True):
            assert cell == saying.interval(by_place[kind, "all", metric])
            seen += 1
    assert seen >= 20
    assert "blind_longest" in text
    assert "By source" in text
    assert "too few groups of photographs for an interval" in text, "the small world's test split is one group"


def test_the_page_is_one_file_that_needs_no_script_and_no_network(located: Evaluated) -> None:
    content = located.report.page.read_text()
    found = Elements(content)
    assert not found.open
    tags = {tag for tag, _ in found.elements}
    assert {"svg", "table", "img", "figure"} <= tags
    assert not tags & {"script", "link", "iframe", "object"}
    for tag, attributes in found.elements:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("src", "href"):
                assert (value or "").startswith("data:image/jpeg;base64,"), tag
    assert "http" not in content.replace("http-equiv", "")
    assert "@import" not in content
    assert content.count("<figure>") == 8


def test_the_best_are_better_than_the_worst_and_both_are_drawn(own_store: Path, located: Evaluated) -> None:
    with open_store(own_store) as store:
        conditioning, shown = examples.examples(store, Layout(own_store), "mean-location", "test", 0, {})
        gone, without = examples.examples(store, Layout(own_store / "elsewhere"), "mean-location", "test", 0, {})
        rows = {
            (row["question_id"], row["conditioning"]): row
            for row in store.table("predictions").to_pylist()
            if row["model_id"] == "mean-location"
        }
    assert conditioning == gone == "oracle"
    best, worst = ([one.score for one in shown if one.is_best is kind] for kind in (True, False))
    assert len(best) == len(worst) == 4
    assert best == sorted(best, reverse=True)
    assert min(best) >= max(worst)
    for one in shown:
        iou = [part["iou"] for part in rows[one.question_id, "oracle"]["iou"]]
        assert one.score == pytest.approx(np.mean(iou))
        assert one.picture.startswith("data:image/jpeg;base64,")
    assert [one.question_id for one in without] == [one.question_id for one in shown]
    assert not any(one.picture for one in without)


def test_a_report_is_made_again_from_predictions_alone(own_store: Path, located: Evaluated) -> None:
    before = {path: path.read_bytes() for path in located.folder.iterdir()}
    for path in before:
        if not path.name.startswith("predictions"):
            path.unlink()
    done = partonomy("evaluate", "--root", own_store, "--report", located.folder)
    assert done.status == 0, done.err
    assert {path: path.read_bytes() for path in located.folder.iterdir()} == before
    assert str(located.report.page) in done.out


def test_a_folder_without_predictions_is_one_line(own_store: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, own_store / "evaluations", own_store / "versions"):
        with pytest.raises(EvaluationError, match="there are no predictions here"):
            rewrite(folder)
    assert partonomy("evaluate", "--root", own_store).status == 2
    assert partonomy("evaluate", "--root", own_store, "--model", "random", "--report", tmp_path).status == 2


def row(metric: str, value: float, low: float | None, high: float | None, part: str = "all") -> dict[str, Any]:
    place = {"question_type": "all", "slice": part, "metric": metric}
    return {**place, "value": value, "low": low, "high": high, "n": 300, "n_skipped": 0}


def gathered(*rows: dict[str, Any], model_id: str = "plum", n: int = 300, gaps: Any = None) -> Gathered:
    return Gathered(model_id, "v", "test", 0, rows, (), n, gaps or {})


CHANCE = row("chance", 0.25, None, None)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.3, 0.4, "above chance"),
        (0.2, 0.4, "not to be told from chance"),
        (0.1, 0.2, "below chance"),
        (None, None, "nothing follows"),
    ],
)
def test_what_is_said_of_choices_rests_on_the_interval(low: float | None, high: float | None, said: str) -> None:
    told = " ".join(saying.sentences(gathered(CHANCE, row("accuracy", 0.35, low, high))))
    assert said in told


@pytest.mark.parametrize("k", [3, 4, 5])
def test_who_never_looks_is_not_to_be_told_from_chance(k: int) -> None:
    """A blind chooser is right once in each complete block: its interval has no width, and lies on chance but for rounding."""
    rows = [
        row(one.metric, one.interval.value, measuring.number(one.interval.low), measuring.number(one.interval.high))
        for one in made_up.blind(k).rows(100)
        if (one.slice.question_type, one.slice.label) == ("all", "all")
    ]
    said = gathered(*rows)
    corrected = said.at("chance_corrected")
    assert corrected is not None
    assert corrected["value"] == pytest.approx(0, abs=1e-12)
    told = " ".join(saying.sentences(said))
    assert "That is not to be told from chance." in told
    assert "need not have looked" in told


def test_a_model_that_is_no_better_than_a_blind_chooser_is_told_so() -> None:
    blind = row("blind_longest", 0.33, 0.3, 0.36)
    assert "need not have looked" in " ".join(
        saying.sentences(gathered(CHANCE, blind, row("accuracy", 0.36, 0.32, 0.4)))
    )
    assert "need not have looked" not in " ".join(
        saying.sentences(gathered(CHANCE, blind, row("accuracy", 0.6, 0.5, 0.7)))
    )


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.3, -0.1, "worse"),
        (-0.1, 0.1, "no difference"),
        (0.1, 0.2, "better"),
        (float("nan"), float("nan"), "too few groups"),
    ],
)
def test_gaps_are_told_with_their_intervals(low: float, high: float, verdict: str) -> None:
    gap = Gap("accuracy", 0.6, 0.5, Interval(-0.1, low, high), 300, 80)
    said = gathered(CHANCE, row("accuracy", 0.6, 0.5, 0.7), gaps={"test_unseen_part": (gap,)})
    assert verdict in " ".join(saying.sentences(said))
    assert "Out of distribution: test_unseen_part" in markdown.text(said)
    assert "-0.100" in page.html(said, "oracle", [])


def test_few_questions_and_baselines_are_called_what_they_are() -> None:
    assert "too few" in " ".join(saying.sentences(gathered(CHANCE, row("accuracy", 0.6, 0.5, 0.7), n=40)))
    assert "SAM is given the box" in saying.about("sam-box-plum-1")
    assert saying.about("plum-1") == ""
    assert "annotated" in saying.about("whole-object")


def test_names_from_elsewhere_cannot_break_the_page() -> None:
    bad = '<script>alert(1)</script>&"'
    shown = examples.Example("q", True, 0.5, bad, bad, bad + "!", "", ((bad, (1, 2, 3)),))
    said = replace(gathered(CHANCE, row("accuracy", 0.6, 0.5, 0.7), model_id=bad), problems=(bad,))
    assert "script" not in {tag for tag, _ in Elements(page.html(said, "oracle", [shown])).elements}


def test_a_plot_is_sound_and_its_marks_lie_where_the_numbers_do() -> None:
    rows = [Bar("a <b>", 0.5, 0.25, 1.0, mark=0.0), Bar("c", -0.2), Bar("d", 1.0, faint=True)]
    root = ElementTree.fromstring(figures.bars("t & t", rows))
    bars = list(root.iter("rect"))
    assert [float(one.attrib["width"]) for one in bars] == [195.0, 0.0, 390.0]
    (interval,) = [one for one in root.iter("line") if one.attrib["class"] == "interval"]
    assert (float(interval.attrib["x1"]), float(interval.attrib["x2"])) == (287.5, 580.0)
    (chance,) = [one for one in root.iter("line") if one.attrib["class"] == "chance"]
    assert float(chance.attrib["x1"]) == 190.0


def test_splits_out_of_the_distribution_are_beside_the_one_within_it(
    own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The small demo world holds nothing out, so two of the splits that it has stand for the one and the other."""
    monkeypatch.setattr(gaps, "INSIDE", "val")
    monkeypatch.setattr(gaps, "OUTSIDE", ("test", "test_unseen_part"))
    whole: dict[str, dict[str, Any]] = {}
    for split in ("test", "val"):
        done = job.evaluate(own_store, "nearest", EvaluationConfig(PredictionConfig(split=split)))
        whole[split] = {
            row["metric"]: row for row in done.measured.rows if (row["question_type"], row["slice"]) == ("all", "all")
        }
    with open_store(own_store) as store:
        found = gathering.gather(store, "nearest", "val", 0)
        sql = "SELECT metric, value, low, high, n FROM evaluations WHERE slice = 'gap=val' AND split = 'test'"
        rows = {row["metric"]: row for row in store.sql(sql).to_arrow_table().to_pylist()}
    assert set(found.gaps) == {"test"}
    told = {gap.metric: gap for gap in found.gaps["test"]}
    assert {"accuracy", "giou_micro_oracle", "strict_giou_predicted"} <= told.keys()
    for metric, gap in told.items():
        assert gap.inside == pytest.approx(whole["val"][metric]["value"])
        assert gap.outside == pytest.approx(whole["test"][metric]["value"])
        assert gap.interval.value == pytest.approx(gap.outside - gap.inside)
        assert (rows[metric]["value"], rows[metric]["n"]) == (pytest.approx(gap.interval.value), gap.n_outside)
        low = rows[metric]["low"]
        assert np.isnan(gap.interval.low) if low is None else low == pytest.approx(gap.interval.low)
    assert rows.keys() == told.keys()
    assert "## Out of distribution: test" in done.report.text


def test_a_trained_model_gets_a_card(own_store: Path, folder_of: Any) -> None:
    folder = Layout(own_store).models / "plum-card"
    with open_store(own_store) as store:
        saving.save_pretrained(trained(folder_of("llava")), folder, Origin("0123456789abcdef", steps=7))
    config = EvaluationConfig(PredictionConfig(split="test", limit=3), longest=4)
    done = job.evaluate(own_store, "plum-card", config)
    card = (folder / "README.md").read_text()
    assert "`0123456789abcdef`" in card
    assert "| steps | 7 |" in card
    assert "what is in a test split here may have been in train there" in card
    assert "## Licenses" in card
    accuracy = next(
        row
        for row in done.measured.rows
        if (row["question_type"], row["slice"], row["metric"]) == ("all", "all", "accuracy")
    )
    assert f"| accuracy | {saying.interval(accuracy)} |" in card
    with open_store(own_store) as store:
        again = write(store, Layout(own_store), "plum-card", "test", 0, measured=Measured([], [], 0))
    assert again.text.startswith("# plum-card")
