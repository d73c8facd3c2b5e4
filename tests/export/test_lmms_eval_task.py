"""The tasks for lmms-eval as they are written: documents are the store's questions, and `utils.py` judges answers rightly."""

from __future__ import annotations

import importlib.util
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from string import ascii_uppercase
from types import ModuleType
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import partonomy_data
from model.evaluation.questions import _shuffled
from model.evaluation.saved import lines
from partonomy_data.errors import UsageError
from partonomy_data.export import lmms_eval, streams, write
from tests.export.conftest import Export
from tests.export.stores import HEIGHT, WIDTH, Small, make, question, rows

TWO_TURNS = ("part_to_whole", "whole_to_part")
CHOICES = ["A hull.", "A hull and a sail.", "A hull, a sail, and a mast."]


def module(folder: Path) -> ModuleType:
    """The written `utils.py`, loaded by its path as lmms-eval loads it."""
    spec = importlib.util.spec_from_file_location("utils", folder / "utils.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="session")
def out(exported: Export) -> Path:
    return exported("lmms-eval").out


@pytest.fixture(scope="session")
def utils(out: Path) -> ModuleType:
    return module(out)


def documents(folder: Path, split: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(folder / "data" / f"{split}.parquet").to_pylist()
    return found


def every(folder: Path) -> list[dict[str, Any]]:
    return [doc for path in sorted((folder / "data").iterdir()) for doc in documents(folder, path.stem)]


def merged(folder: Path, task: str) -> dict[str, Any]:
    """A task's YAML with what it includes; functions are the texts `!function` names them by."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: "!" + loader.construct_scalar(node))
    own = yaml.load((folder / f"{task}.yaml").read_text(), Loader)
    shared = [yaml.load((folder / name).read_text(), Loader) for name in own.pop("include")]
    return {key: value for part in (*shared, own) for key, value in part.items()}


def document(**changes: Any) -> dict[str, Any]:
    made = {"question_id": "qst_1", "turn": "parts", "question_type": "identification", "picture": "images/x.jpg"}
    made |= {"earlier_question": None, "earlier_answer": None, "question": "Which parts?", "choices": CHOICES}
    made |= {"correct": 1, "order": [2, 0, 1], "chance": 1 / 3, "balanced": True, "evidence": "verified"}
    return made | {"block_id": "blk_1", "unit": "grp_1"} | changes


def test_each_turn_of_each_question_is_a_document_in_the_order_that_our_own_protocol_shows(
    out: Path, demo_store: Path
) -> None:
    found = {(doc["question_id"], doc["turn"]): doc for doc in every(out)}
    due = set()
    with partonomy_data.open(demo_store) as store:
        asked = store.questions().to_pylist()
    for own in asked:
        parts = [choice["text"] for choice in own["choices"]]
        turns = {"parts": (own["question"], parts, own["correct_index"], own["chance"], own["balanced"])}
        if own["question_type"] in TWO_TURNS:
            whole = [choice["text"] for choice in own["object_choices"]]
            truth = own["correct_object_index"]
            turns["object"] = (own["object_question"], whole, truth, 1 / len(whole), own["object_balanced"])
        first = "object" if own["question_type"] == "whole_to_part" else "parts"
        for turn, (text, texts, correct, chance, balanced) in turns.items():
            doc = found[own["question_id"], turn]
            due.add((own["question_id"], turn))
            order = _shuffled(0, f"{own['question_id']}/{turn}", len(texts))
            assert doc["choices"] == [texts[place] for place in order]
            assert tuple(doc["order"]) == order
            assert doc["choices"][doc["correct"]] == texts[correct]
            assert (doc["question"], doc["balanced"], doc["block_id"]) == (text, balanced, own["block_id"])
            assert doc["chance"] == pytest.approx(chance)
            earlier = (None, None) if turn == first else (turns[first][0], turns[first][1][turns[first][2]])
            assert (doc["earlier_question"], doc["earlier_answer"]) == earlier
            assert doc["unit"] == (own["group_id"] or own["image_id"])
            assert doc["evidence"] == own["evidence"]
    assert found.keys() == due


def test_documents_show_what_the_conversations_show_and_blocks_lie_together(
    out: Path, exported: Export, utils: ModuleType
) -> None:
    llava = exported("llava").out
    due = {row["id"]: row["image"] for path in llava.glob("*.json") for row in json.loads(path.read_bytes())}
    for doc in every(out):
        assert doc["picture"] == due[doc["question_id"]]
        assert (out / doc["picture"]).read_bytes() == (llava / due[doc["question_id"]]).read_bytes()
    (shown,) = utils.visual(every(out)[0])
    assert shown.mode == "RGB"
    for path in (out / "data").iterdir():
        blocks = [doc["block_id"] for doc in documents(out, path.stem) if doc["block_id"]]
        changes = sum(one != other for one, other in pairwise(blocks))
        assert changes == len(set(blocks)) - 1


def test_the_tasks_name_their_data_and_only_what_utils_has(out: Path, utils: ModuleType) -> None:
    splits = {path.stem for path in (out / "data").iterdir()}
    tasks = {path.stem for path in out.glob("partonomy_*.yaml")}
    assert tasks == {f"partonomy_{split}{way}" for split in splits for way in ("", "_likelihood")}
    for task in tasks:
        told = merged(out, task)
        split = told["test_split"]
        assert told["task"] == task
        assert told["dataset_path"] == "parquet"
        assert told["dataset_kwargs"] == {"data_files": {split: [f"data/{split}.parquet"]}}
        assert told["num_fewshot"] == 0, "an example would tell of another question"
        functions = [told["doc_to_visual"], told["doc_to_text"], told["process_results"]]
        functions += [one["aggregation"] for one in told["metric_list"]]
        assert all(callable(getattr(utils, name.removeprefix("!utils."))) for name in functions)
        assert told["output_type"] == ("multiple_choice" if task.endswith("_likelihood") else "generate_until")


def test_every_metric_that_an_answer_counts_in_is_aggregated(out: Path, utils: ModuleType) -> None:
    listed = [one["metric"] for one in merged(out, "partonomy_val")["metric_list"]]
    kinds = ("identification", "intersection", "difference", "contrast", *TWO_TURNS)
    counted = {
        metric
        for kind in kinds
        for turn in ("parts", "object")
        for evidence in ("verified", "unverified")
        for metric in utils.letters_results(document(question_type=kind, turn=turn, evidence=evidence), ["B"])
    }
    assert sorted(listed) == sorted(counted)


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("B", 1), ("b", 1), (" (B) ", 1), ("B.", 1), ("**B**", 1), ("Answer: B", 1), ("The correct answer is (B).", 1),
        ("$\\boxed{B}$", 1), ("Option C", 2), ("B. A hull and a sail.", 1), ("B) because of the sail", 1),
        ("A hull and a sail.", 1), ("a hull  AND a sail", 1), ("A hull, a sail and a mast", 2), ("A hull.", 0),
        ("The answer is: A hull.", 0), ("<think>A. No: B.</think>\nC", 2), ("It has a sail.\n\nAnswer: B", 1),
        ("B\nThe sail is there.", 1),
        # None, or several, or none of these
        ("", None), ("  \n ", None), (None, None), (3, None), ("D", None), ("A sail", None), ("AB", None),
        ("A hull and", None), ("A or B", None), ("A) or B)", None), ("A, B", None), ("B. A hull.", None), ("?", None),
        ("A. A hull.\nB. A hull and a sail.\nC. A hull, a sail, and a mast.", None), ("not B", None), ("K", None),
        ("B\nC", None) , ("C\nB", None), ("answer", None), ("<think>B", None),
    ],
)  # fmt: skip
def test_an_answer_in_words_is_the_one_choice_that_it_names(utils: ModuleType, said: Any, place: int | None) -> None:
    assert utils.named(said, CHOICES) == place
    counted = utils.letters_results(document(), [said])
    assert counted["answered"]["score"] == (place is not None)
    assert counted["answered"]["chosen"] == (None if place is None else [2, 0, 1][place])
    assert counted["accuracy"]["score"] == (place == 1)


WORDS = st.lists(st.sampled_from(["hull", "sail", "A mast", "the I beam", "b-pillar", "部品"]), min_size=1, max_size=5)


@given(st.text(), st.lists(WORDS.map(" ".join), min_size=2, max_size=6, unique_by=str.casefold), st.randoms())
def test_whatever_is_said_the_place_is_one_of_the_choices_and_texts_follow_their_order(
    utils: ModuleType, said: str, choices: list[str], random: Any
) -> None:
    place = utils.named(said, choices)
    assert place is None or 0 <= place < len(choices)
    moved = random.sample(choices, len(choices))
    for number, choice in enumerate(choices):
        letter = ascii_uppercase[number]
        assert choices[utils.named(choice, choices)] == moved[utils.named(choice, moved)] == choice
        assert utils.named(f"{letter}. {choice}", choices) == utils.named(f"({letter})", choices) == number


LOSSES = st.sampled_from([0.0, 0.5, 1.0, 1.5, math.inf, math.nan])


@given(st.lists(LOSSES, min_size=2, max_size=5), st.integers(0, 4), st.sampled_from([str, tuple, list]))
def test_the_least_loss_is_taken_and_a_tie_is_wrong(
    utils: ModuleType, losses: list[float], correct: int, form: Any
) -> None:
    choices = [f"choice {place}" for place in range(len(losses))]
    doc = document(choices=choices, correct=correct % len(losses), order=list(range(len(losses))))
    counted = utils.likelihood_results(doc, [form((loss, False)) for loss in losses])
    beaten = [all(own < other for i, other in enumerate(losses) if i != place) for place, own in enumerate(losses)]
    usable = all(loss == loss for loss in losses)
    assert counted["answered"]["score"] == usable
    assert counted["accuracy"]["score"] == (usable and beaten[doc["correct"]])


@pytest.mark.parametrize("results", [[], ["(0.1, True)"], ["", "", ""], [None, 1, 2], [(), (), ()], ["x", "y", "z"]])
def test_losses_that_are_missing_or_malformed_are_wrong_and_counted(utils: ModuleType, results: list[Any]) -> None:
    counted = utils.likelihood_results(document(correct=0), results)
    assert (counted["answered"]["score"], counted["accuracy"]["score"]) == (0, 0)


def gathered(utils: ModuleType, docs: list[dict[str, Any]], said: list[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for doc, answer in zip(docs, said, strict=True):
        for metric, item in utils.letters_results(doc, [answer]).items():
            found.setdefault(metric, []).append(item)
    return found


def sides(out: Path) -> Iterator[str]:
    yield from (path.stem for path in sorted((out / "data").iterdir()) if path.stem != "train")


def test_who_does_not_look_is_at_chance_in_balanced_questions_and_gets_no_block(out: Path, utils: ModuleType) -> None:
    for split in sides(out):
        docs = documents(out, split)
        found = gathered(utils, docs, [min(doc["choices"]) for doc in docs])
        assert utils.mean_score(found["balanced_accuracy"]) == pytest.approx(
            utils.mean_chance(found["balanced_chance"])
        )
        assert utils.chance_corrected(found["chance_corrected"]) == pytest.approx(0, abs=1e-6)
        assert utils.block_consistent(found["block_consistent"]) == 0


@given(st.randoms())
def test_what_is_aggregated_is_what_a_plain_count_gives(out: Path, utils: ModuleType, random: Any) -> None:
    docs = documents(out, "val")
    said = [random.choice("ABC?" + "ABCDE"[doc["correct"]] * 8) for doc in docs]
    right = [answer == "ABCDE"[doc["correct"]] for doc, answer in zip(docs, said, strict=True)]
    asked = {(doc["question_id"], doc["turn"]): hit for doc, hit in zip(docs, right, strict=True)}
    blocks: dict[str, list[bool]] = {}
    for doc, hit in zip(docs, right, strict=True):
        if doc["turn"] == "parts":
            blocks.setdefault(doc["block_id"], []).append(hit)
    parts = [hit for (_, turn), hit in asked.items() if turn == "parts"]
    both = [hit and asked[name, "parts"] for (name, turn), hit in asked.items() if turn == "object"]
    chance = [doc["chance"] for doc in docs if doc["turn"] == "parts"]
    found = gathered(utils, docs, said)
    assert utils.mean_score(found["accuracy"]) == pytest.approx(sum(parts) / len(parts))
    assert utils.mean_chance(found["chance"]) == pytest.approx(sum(chance) / len(chance))
    due = (sum(parts) - sum(chance)) / (len(parts) - sum(chance))
    assert utils.chance_corrected(found["chance_corrected"]) == pytest.approx(due)
    assert utils.both_accuracy(found["both_accuracy"]) == pytest.approx(sum(both) / len(both))
    assert utils.block_consistent(found["block_consistent"]) == sum(map(all, blocks.values())) / len(blocks)
    assert utils.mean_score(found["answered"]) == sum(answer != "?" for answer in said) / len(said)


def test_blocks_and_turns_that_were_cut_off_are_not_counted(utils: ModuleType) -> None:
    found = gathered(utils, [document(), document(question_id="qst_2")], ["B", "B"])
    assert math.isnan(utils.block_consistent(found["block_consistent"]))
    found = gathered(utils, [document(question_type="part_to_whole")], ["B"])
    assert math.isnan(utils.both_accuracy(found["both_accuracy"]))


def test_texts_show_the_first_turn_then_the_question_then_the_letters(utils: ModuleType) -> None:
    doc = document(earlier_question="What is it?", earlier_answer="A boat.")
    plain = "What is it?\nA boat.\n\nWhich parts?"
    lettered = f"{plain}\nA. {CHOICES[0]}\nB. {CHOICES[1]}\nC. {CHOICES[2]}"
    assert utils.likelihood_text(doc) == plain
    assert utils.letters_text(doc) == lettered
    assert utils.letters_text(doc, {"pre_prompt": "Q: ", "post_prompt": "One letter."}) == f"Q: {lettered}\nOne letter."
    assert utils.letters_target(doc) == "B"


def test_hostile_texts_and_names_are_data_and_a_turned_photograph_is_shown_on_its_grid(
    small: Small, tmp_path: Path
) -> None:
    folder = write(small.root, "lmms-eval", tmp_path / "out", images=small.images).out
    loaded = module(folder)
    docs = documents(folder, "train")
    assert len(docs) == len(small.uris)
    for doc in docs:
        assert loaded.visual(doc)[0].size == (WIDTH, HEIGHT)
        assert "<image>" not in loaded.letters_text(doc)
        assert loaded.letters_text(doc).isascii() is False
        assert loaded.named(doc["choices"][doc["correct"]], doc["choices"]) == doc["correct"]


def test_more_choices_than_letters_are_one_line(tmp_path: Path) -> None:
    given_rows = rows(("a.jpg",))
    asked = given_rows["questions"][0]
    many = [{**asked["choices"][0], "text": f"choice {i}", "is_correct": i == 1} for i in range(27)]
    small = make(
        tmp_path, ("a.jpg",), {"questions": [question(0, asked["image_id"], asked["object_id"], choices=many)]}
    )
    with pytest.raises(UsageError, match=r"^qst_0+: it has 27 choices, and there are 26 letters\. Export it"):
        write(small.root, "lmms-eval", tmp_path / "out", images=small.images)
    assert not (tmp_path / "out").exists()


def test_the_log_of_a_run_becomes_predictions_in_the_places_of_the_store(
    out: Path, utils: ModuleType, demo_store: Path, tmp_path: Path
) -> None:
    docs = documents(out, "val")
    said = [ascii_uppercase[doc["correct"]] if number % 3 else "?" for number, doc in enumerate(docs)]
    samples = [{"answered": utils.letters_results(doc, [one])["answered"]} for doc, one in zip(docs, said, strict=True)]
    log, made = tmp_path / "samples.jsonl", tmp_path / "made.jsonl"
    log.write_text("".join(json.dumps(one) + "\n" for one in samples))
    command = [sys.executable, str(out / "utils.py"), str(log)]
    made.write_text(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    found = {one.line.question_id: one.line for one in lines.read(made) if one.line is not None}
    with partonomy_data.open(demo_store) as store:
        asked = {row["question_id"]: row for row in store.questions(split="val").to_pylist()}
    assert found.keys() == asked.keys()
    for doc, one in zip(docs, said, strict=True):
        line, own = found[doc["question_id"]], asked[doc["question_id"]]
        chosen, truth = line.chosen, own["correct_index"]
        if doc["turn"] == "object":
            chosen, truth = line.object_chosen, own["correct_object_index"]
        assert chosen == (None if one == "?" else truth)
        assert line.conditioning == "oracle", "the second turn followed the true first"


def test_the_data_are_the_same_bytes_whatever_batches_they_come_in(
    out: Path, demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "BATCH_ROWS", 7)
    again = write(demo_store, "lmms-eval", tmp_path / "again", split="val").out
    for name in ("data/val.parquet", "partonomy_val.yaml", "utils.py"):
        assert (again / name).read_bytes() == (out / name).read_bytes()


def test_the_order_of_choices_is_the_protocols() -> None:
    for name in ("qst_1/parts", "qst_1/object", "ünï"):
        for seed in (0, 7):
            assert tuple(lmms_eval.shuffled(seed, name, 5)) == _shuffled(seed, name, 5)
