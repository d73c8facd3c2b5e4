"""The examples that docs/evaluation.md works by hand are what the code gives; and the page names the metrics that there are."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from model.evaluation import calibration, parts_named
from model.evaluation.answers import Choice, PartMask, Prediction, Truth
from model.evaluation.checking import check
from model.evaluation.scoring import Wanted, score
from model.evaluation.streaming import Stream
from partonomy_data.masks import RleJson
from tests.docs.pages import DOCS
from tests.model.evaluation import made_up

PAGE = (DOCS / "evaluation.md").read_text(encoding="utf-8")


def table(header: str) -> list[dict[str, str]]:
    """The rows of the table whose first line begins so, by column."""
    lines = re.search(rf"^\| {re.escape(header)}.*?(?=\n\n)", PAGE, re.MULTILINE | re.DOTALL)
    assert lines, header
    cells = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[0].split("\n")]
    return [dict(zip(cells[0], row, strict=True)) for row in cells[2:]]


def number(cell: str) -> float:
    return float(Fraction(cell))


def drawn(text: str) -> tuple[PartMask, ...]:
    """`wing 0 0 4 2, tail ?`: rectangles x, y, width, height in 10 by 10 pixels, or a mask that can't be read."""
    found = []
    for one in filter(None, text.split(", ")):
        part, *box = one.split()
        if box == ["?"]:
            found.append(PartMask(part, RleJson((10, 10), "!!")))
            continue
        x, y, width, height = map(int, box)
        pixels = np.zeros((10, 10), np.bool_)
        pixels[y : y + height, x : x + width] = True
        found.append(PartMask(part, made_up.rle(pixels)))
    return tuple(found)


def question(name: str, correct: int, choices: tuple[Choice, ...], **given: object) -> Truth:
    plain = made_up.truth(np.random.default_rng(0), split="test", source="paco", question_type="identification")
    fields = {slot: getattr(plain, slot) for slot in Truth.__slots__} | {"masks": (), "spans": (), "photograph": name}
    fields |= {"question_id": name, "correct": correct, "choices": choices, "chance": 1 / len(choices)}
    return Truth(**{**fields, "object_choices": (), "correct_object": None, **given})


CASES = table("case |")
HULL = (Choice("A.", ("hull",)), Choice("B.", ("mast",)))


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_the_masks_of_the_page_score_what_it_says(case: dict[str, str]) -> None:
    true = re.search(r"True are,.*?`(.*?)`, `(.*?)` and `(.*?)`", PAGE, re.DOTALL)
    assert true
    truth = question("a", 0, HULL, size=(10, 10), masks=drawn(", ".join(true.groups())))
    checked = check([truth], [Prediction("a", masks=drawn(case["predicted"]))])
    marks = score(checked, Wanted(frozenset({"masks"}))).marks
    metrics = [name for name in case if name not in ("case", "predicted")]
    assert len(metrics) == 6
    assert {name: marks[f"{name}_oracle"].value for name in metrics} == pytest.approx(
        {name: number(case[name]) for name in metrics}
    )
    for same, other in (("giou_micro", "giou_macro"), ("greedy_giou", "hungarian_giou")):
        assert marks[f"{same}_oracle"].value == pytest.approx(number(case[other]))
    assert len(checked[0].problems) == case["predicted"].count("?")


def block() -> Iterator[tuple[Truth, Prediction]]:
    texts = re.findall(r"\"(A hull.*?\.)\"", PAGE[PAGE.index("A block: three questions") :])
    choices = tuple(Choice(text, tuple(re.findall(r"hull|sail|mast", text))) for text in texts)
    assert len(choices) == 3
    for place, row in enumerate(table("right |")):
        scores = tuple(math.log(float(one)) for one in row["probabilities"].split())
        yield (
            question(str(place), int(row["right"]), choices, block="block"),
            Prediction(
                str(place),
                scores=scores,
                tokens=tuple(map(int, row["tokens"].split())),
                generated=None if row["generated"] == "-" else int(row["generated"]),
                text="",
            ),
        )


def test_the_choices_of_the_page_score_what_it_says() -> None:
    truths, predictions = map(list, zip(*block(), strict=True))
    stream = Stream(Wanted(frozenset({"choices", "by_length", "generation"})))
    stream.add(truths, predictions)
    found = {row.metric: row.interval.value for row in stream.rows(10) if row.slice.label == "all"}
    wanted = {row["metric"]: number(row["value"]) for row in table("metric | value")}
    assert len(wanted) == 10
    assert {name: found[name] for name in wanted} == pytest.approx(wanted)
    assert calibration.calibration_error(calibration.bins(check(truths, predictions)).sum(axis=0)) == pytest.approx(
        wanted["calibration_error"]
    )


@pytest.mark.parametrize("row", table("true | said"), ids=lambda row: str(row["said"]))
def test_the_names_of_the_page_score_what_it_says(row: dict[str, str]) -> None:
    stands = re.search(r"`(.*?)` may stand for `(.*?)` or `(.*?)`", PAGE)
    assert stands
    related = {stands[1]: {stands[2], stands[3]}}
    true, said = (tuple(row[name].split(", ")) for name in ("true", "said"))
    truth = question("a", 0, (Choice("", true), Choice(".", ())))
    marks = parts_named.generated(check([truth], [Prediction("a", parts=said)]), related)
    for name in ("part_precision", "part_recall", "part_f1", "part_related_f1"):
        assert marks[name].value == pytest.approx(number(row[name])), name


def test_every_metric_that_there_is_stands_on_the_page() -> None:
    stream = Stream(Wanted(related={"blade": {"rotor blade"}}))
    named = {name.removesuffix("_oracle") for name in stream.metrics} | {"calibration_error", "ap50"}
    missing = [name for name in sorted(named) if f"`{name}`" not in PAGE]
    families = [name for name in missing if re.sub(r"_(precision|recall|f1)$", "_…", name) in PAGE]
    assert missing == families
    listed = [name for row in table("metric | what") for name in row["metric"].replace("`", "").split(", ")]
    second = PAGE.partition("## Choices")[2]
    listed += re.findall(r"^\| `(\w+)`(?:, `(\w+)`)?", second, re.MULTILINE)[0]
    assert set(filter(None, listed)) <= named
