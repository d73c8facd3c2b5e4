"""Models on a general set, from the command to what is written: every row asked once, in batches as one by one, and compared."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from model.evaluation.adapters.hugging_face import TextModel
from model.evaluation.answers import EvaluationError
from model.evaluation.asking import Asked
from model.evaluation.general import asking, job
from model.evaluation.general.asking import Answered, ask
from model.evaluation.general.config import GeneralConfig
from model.evaluation.general.kept import Kept, key
from model.evaluation.general.reading import LeftOut, Question, read
from model.evaluation.job import EvaluationConfig
from model.evaluation.predicting import PredictionConfig
from model.plum import answering, saving
from model.plum.errors import ModelError
from model.plum.saving import Origin
from tests.helpers.command import partonomy
from tests.model.plum.tiny import PHOTOGRAPHS, fresh, trained
from tests.photographs.test_decoding import ODD, turned

Folder = Callable[[str], Path]
PROMPT = "{question} Answer briefly."
CONFIG = EvaluationConfig(general=GeneralConfig(prompt=PROMPT, longest=4, at_once=3))
QUESTIONS = ["Is there a wing?", "Is there a tail?", "Is it a bicycle?", "Does it lack a saddle?"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """POPE's file of fourteen rows on two photographs, of which four can't be used; TextVQA's and GQA's of two."""
    folder = tmp_path_factory.mktemp("general")
    (folder / "images").mkdir()
    for name, photograph in zip("ab", PHOTOGRAPHS, strict=True):
        photograph.save(folder / "images" / f"{name}.png")
    (folder / "images" / "broken.png").write_bytes(b"no image")
    images = ["a.png", "b.png"] * 5 + ["broken.png", "none.png", "a.png", "a.png"]
    rows = [
        {"question_id": number, "image": image, "text": QUESTIONS[number % 4], "label": ("yes", "no")[number % 2]}
        for number, image in enumerate(images)
    ]
    rows[12]["question_id"], rows[13]["label"] = 3, "?"
    rows[9]["text"] = "a wheel and " * 600
    (folder / "pope.json").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    data = [
        {"question_id": number, "image_id": image, "question": "What is it?", "answers": ["a bicycle"] * 10}
        for number, image in enumerate("ab")
    ]
    (folder / "textvqa.json").write_text(json.dumps({"data": data}))
    (folder / "gqa.json").write_text(
        json.dumps({image: {"imageId": image, "question": "What is it?", "answer": "bicycle"} for image in "ab"})
    )
    return folder


@pytest.fixture(scope="module")
def backbone(folder_of: Folder) -> str:
    return f"hf:{folder_of('llava')}"


@pytest.fixture(scope="module")
def plum(folder_of: Folder, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PLUM on that backbone, whose adapters have moved."""
    folder = tmp_path_factory.mktemp("models") / "plum-moved"
    saving.save_pretrained(trained(folder_of("llava")), folder, Origin("0" * 16))
    return str(folder)


def lines(folder: Path, number: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"answers-{number}.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def done(world: Path, plum: str, backbone: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What the command prints, and the folder that it names."""
    root = tmp_path_factory.mktemp("store")
    (root / "settings.yaml").write_text(f"general: {{prompt: '{PROMPT}', longest: 4, at_once: 3}}\n")
    given = (
        "--general",
        f"pope:{world / 'pope.json'}",
        "--images",
        world / "images",
        "--config",
        root / "settings.yaml",
    )
    made = partonomy("evaluate", "--root", root, "--model", plum, "--against", backbone, *given)
    assert made.status == 0, made.err
    return made.out, Path(made.out.splitlines()[-1].removeprefix("written to "))


def test_the_command_counts_every_row_and_compares_the_two(done: tuple[str, Path], world: Path) -> None:
    out, folder = done
    counted = "14 rows = 10 scored + 1 no answer + 1 doubled + 1 no photograph + 1 unreadable photograph"
    assert out.splitlines()[:2] == [f"pope: {world / 'pope.json'}", counted]
    assert "1 could not be asked of plum-moved and count as wrong, such as: question 9: a text of" in out
    head, *body = [line.split() for line in out.split("\n\n")[1].splitlines()]
    assert head == ["plum-moved", "hf-backbone-llava", "difference"]
    assert [row[0] for row in body] == ["accuracy", "precision", "recall", "f1", "yes_share", "neither"]
    found = json.loads((folder / "general.json").read_text())
    assert (found["rows"], found["scored"], sum(found["left_out"].values())) == (14, 10, 4)
    assert found["models"] == ["plum-moved", "hf-backbone-llava"]
    by_metric = {(one["model"], one["metric"]): one for one in found["metrics"]}
    for gap in found["differences"]:
        mine, other = (by_metric[name, gap["metric"]]["value"] for name in found["models"])
        assert (gap["value"] is None) == (None in (mine, other))
        assert gap["value"] is None or gap["value"] == pytest.approx(mine - other)
    page = (folder / "general.md").read_text()
    assert "| accuracy | " in page
    assert page.count("question 9: a text of") == 4, "once for each model in the head, and in its list"
    assert "question 10: its photograph broken.png can't be read: it is no image, or damaged" in page


def test_each_row_is_written_once_with_its_answer_or_why_there_is_none(done: tuple[str, Path]) -> None:
    for number in (1, 2):
        rows = lines(done[1], number)
        assert len(rows) == 14
        assert sorted(row["left_out"] for row in rows if "left_out" in row) == [
            "doubled", "no answer", "no photograph", "unreadable photograph"
        ]  # fmt: skip
        assert sorted(row["question_id"] for row in rows if "text" in row) == list("012345678")
        (refused,) = [row for row in rows if "refused" in row]
        assert (refused["question_id"], refused["accuracy"]) == ("9", 0.0)


def test_a_plum_says_what_it_says_elsewhere_and_its_backbone_something_else(done: tuple[str, Path], plum: str) -> None:
    loaded = saving.from_pretrained(Path(plum)).plum
    looks = dict(zip(("a.png", "b.png"), answering.look(loaded, PHOTOGRAPHS), strict=True))
    said = {row["question_id"]: row for row in lines(done[1], 1) if "text" in row}
    for row in said.values():
        asked = answering.Asked(looks[row["image"]], PROMPT.replace("{question}", row["question"]))
        assert answering.generate(loaded, [asked], 4)[0].text == row["text"]
    assert {row["question_id"]: row["text"] for row in lines(done[1], 2) if "text" in row} != {
        name: row["text"] for name, row in said.items()
    }


def test_a_backbone_that_did_not_move_is_no_worse(
    world: Path, backbone: str, folder_of: Folder, tmp_path: Path
) -> None:
    saving.save_pretrained(fresh(folder_of("llava")), tmp_path / "models" / "plum-fresh", Origin("0" * 16))
    made = job.evaluate(
        tmp_path, "plum-fresh", f"pope:{world / 'pope.json'}", world / "images", CONFIG, against=backbone
    )
    assert lines(made.folder, 1) == lines(made.folder, 2)
    assert {one.interval.value for one in made.outcome.differences} <= {0.0}


@pytest.mark.parametrize("form", ["textvqa", "gqa"])
def test_the_other_sets_are_asked_too(form: str, world: Path, backbone: str, tmp_path: Path) -> None:
    made = job.evaluate(tmp_path, backbone, f"{form}:{world / f'{form}.json'}", world / "images", CONFIG)
    ((row,),) = made.outcome.rows
    assert (row.n, row.n_skipped, made.outcome.sums[0].rows) == (2, 0, 2)
    assert made.outcome.differences == ()
    assert [one["image"] for one in lines(made.folder, 1)] == ["a.png", "b.png"]


def test_under_a_limit_the_rest_is_counted(world: Path, backbone: str, tmp_path: Path) -> None:
    limited = EvaluationConfig(PredictionConfig(limit=4), general=CONFIG.general)
    made = job.evaluate(tmp_path, backbone, f"pope:{world / 'pope.json'}", world / "images", limited)
    # Eleven have photographs that are there, of which one can't be read.
    sums = made.outcome.sums[0]
    assert sums.over == 7
    assert sums.scored + sums.left_out["unreadable photograph"] == 4
    assert sums.rows == 14 == sums.scored + sum(sums.counts().values()) + sums.over
    assert "+ 7 beyond the limit" in made.text()


@pytest.fixture(scope="module")
def model(backbone: str, tmp_path_factory: pytest.TempPathFactory) -> TextModel:
    from partonomy_data.store.layout import Layout

    return job.load(Layout(tmp_path_factory.mktemp("none")), backbone, CONFIG)


@pytest.mark.parametrize("at_once", [1, 2, 8])
def test_however_many_are_asked_together_all_get_the_same_answers(
    at_once: int, model: TextModel, world: Path, tmp_path: Path
) -> None:
    rows = list(read("pope", world / "pope.json", world / "images"))
    config = GeneralConfig(prompt=PROMPT, at_once=at_once)
    made = ask(model, rows, config, Kept(tmp_path / "kept"))
    found = {one.question.question_id: one.text for one in made if isinstance(one, Answered)}
    for row in rows:
        if isinstance(row, Question) and row.image.name != "broken.png":
            with Image.open(row.image) as file:
                alone = Asked(
                    "alone", f"alone {row.image}", file.convert("RGB"), PROMPT.replace("{question}", row.text), ()
                )
            (said,) = model.answers([alone])
            assert found[row.question_id] == (None if isinstance(said, ModelError) else said)
    assert len(found) == 10


def test_a_photograph_is_opened_once_in_a_batch_and_those_that_belong_together_are(
    model: TextModel, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    once = asking._opened
    monkeypatch.setattr(asking, "_opened", lambda path: opened.append(path.name) or once(path))
    rows = list(read("pope", world / "pope.json", world / "images"))
    config = GeneralConfig(prompt=PROMPT, longest=1, at_once=5)
    made = list(ask(model, iter(rows), config, Kept(tmp_path / "kept")))
    assert len(made) == 14
    assert opened == ["a.png", "b.png", "broken.png"], "five of one, five of the other"
    assert [one.why for one in made if isinstance(one, LeftOut)].count("unreadable photograph") == 1


def test_a_turned_photograph_is_shown_upright(
    model: TextModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    PHOTOGRAPHS[1].save(tmp_path / "turned.jpg", exif=exif)
    shown: list[tuple[int, int]] = []
    monkeypatch.setattr(TextModel, "answers", lambda _, asked: [shown.append(one.image.size) or "" for one in asked])
    turned = Question("1", tmp_path / "turned.jpg", "?", ("yes",))
    list(ask(model, [turned], CONFIG.general, Kept(tmp_path / "kept")))
    assert shown == [PHOTOGRAPHS[1].size[::-1]]


def test_a_model_that_is_not_there_is_told_before_the_other_is_asked(
    world: Path, backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "load", lambda *_: pytest.fail("a model was loaded"))
    for other in ("hf:nobody/nothing", "plum-none", "random", "api:gpt-4o"):
        with pytest.raises(ModelError, match=r"local cache|there is no such model.*or name hf:NAME"):
            job.evaluate(tmp_path, backbone, f"pope:{world / 'pope.json'}", world / "images", CONFIG, against=other)
    for given, images in ((world / "none.json", world / "images"), (world / "pope.json", world / "none")):
        with pytest.raises(ModelError, match=r"(?i)no such f"):
            job.evaluate(tmp_path, backbone, f"pope:{given}", images, CONFIG)
    assert not (tmp_path / "runs").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from model.evaluation.general import job
from model.evaluation.general.kept import Kept
from tests.model.evaluation.general.test_general_job import CONFIG

written = Kept._write


def killed(self: Kept, text: str) -> None:
    if len(self) >= 6:  # in the middle of the third batch's lines
        text = text[: len(text) // 2]
        written(self, text)
        os.kill(os.getpid(), signal.SIGKILL)
    written(self, text)


Kept._write = killed
root, model, world = sys.argv[1:]
job.evaluate(Path(root), model, f"pope:{world}/pope.json", Path(world) / "images", CONFIG)
"""


def test_a_run_that_is_killed_asks_nothing_twice_and_comes_to_the_same(
    world: Path, backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, tmp_path, backbone, world], capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    asked: list[str] = []
    answers = TextModel.answers
    monkeypatch.setattr(
        TextModel,
        "answers",
        lambda model, given: asked.extend(one.question_id for one in given) or answers(model, given),
    )
    given = f"pope:{world / 'pope.json'}", world / "images", CONFIG
    made = job.evaluate(tmp_path, backbone, *given)
    gone_on = set(asked)
    whole = job.evaluate(tmp_path / "other", backbone, *given)
    everything = set(asked[len(gone_on) :])
    assert len(everything) == 10
    assert 0 < len(gone_on) <= 4, "six were said, and at least a whole line of the third batch may have been"
    assert gone_on < everything

    def by_row(folder: Path) -> list[str]:
        return sorted((folder / "answers-1.jsonl").read_text().splitlines())

    assert by_row(made.folder) == by_row(whole.folder)
    assert repr(made.outcome.rows) == repr(whole.outcome.rows), "of which some are no numbers"
    assert not list((tmp_path / "work" / "general").iterdir()), "it is done: nothing is left to go on with"


@pytest.mark.parametrize("other", [{"longest": 5}, {"prompt": "{question} Say it."}])
def test_other_settings_do_not_go_on_with_what_was_said(other: dict[str, Any], world: Path, tmp_path: Path) -> None:
    given = "pope", world / "pope.json", world / "images"
    same = key("hf-x", "abc", *given, CONFIG.general, "float32")
    assert key("hf-x", "abc", *given, replace(CONFIG.general, at_once=1), "float32") == same
    assert key("hf-x", "abc", *given, replace(CONFIG.general, **other), "float32") != same
    assert key("hf-x", "abd", *given, CONFIG.general, "float32") != same
    assert key("hf-x", "abc", *given, CONFIG.general, "bfloat16") != same
    (tmp_path / "pope.json").write_bytes((world / "pope.json").read_bytes() + b"\n")
    assert key("hf-x", "abc", "pope", tmp_path / "pope.json", world / "images", CONFIG.general, "float32") != same


def test_a_set_of_which_nothing_can_be_asked_is_told(world: Path, backbone: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("{}\n")
    with pytest.raises(
        EvaluationError, match=r"none of its 1 rows can be asked; such as line 1: it has no 'question_id'"
    ):
        job.evaluate(tmp_path, backbone, f"pope:{tmp_path / 'empty'}", world / "images", CONFIG)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--general", "pope:x", "--images", "."), "a general set needs --model and --images"),
        (("--general", "pope:x", "--model", "hf:x"), "a general set needs --model and --images"),
        (("--general", "x", "--model", "hf:x", "--images", "."), "no general set that is known"),
        (("--general", "pope:x", "--model", "hf:x", "--images", ".", "--split", "val"), "--split has no meaning"),
        (("--general", "pope:x", "--model", "hf:x", "--images", ".", "--swap"), "--swap has no meaning"),
        (("--model", "random", "--images", "."), "--images is of --general"),
        (("--report", ".", "--against", "oracle"), "--against stands beside a model that is measured"),
    ],
)
def test_options_that_do_not_go_together_are_told_in_one_line(
    given: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    made = partonomy("evaluate", "--root", tmp_path, *given)
    assert (made.status, made.out) == (2, "")
    assert told in made.err
    assert made.err.count("\n") == 1


@pytest.mark.parametrize("wrong", [{"prompt": "Answer."}, {"longest": 0}, {"at_once": 0}, {"seed": 2**63}])
def test_settings_that_cannot_be_are_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"general\."):
        GeneralConfig(**wrong).checked()


def test_a_turned_photograph_with_an_odd_tag_is_shown_upright(tmp_path: Path) -> None:
    PHOTOGRAPHS[1].save(tmp_path / "turned.jpg", exif=turned(6, *ODD.values()))
    shown = asking._opened(tmp_path / "turned.jpg")
    assert isinstance(shown, Image.Image)
    assert shown.size == PHOTOGRAPHS[1].size[::-1]
