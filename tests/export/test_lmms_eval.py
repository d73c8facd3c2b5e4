"""lmms-eval itself loads the tasks from their folder, offline; its evaluator gives chance to who guesses, 1 to who knows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.export.conftest import Export

pytestmark = pytest.mark.skipif(
    find_spec("lmms_eval") is None, reason="lmms-eval is not installed (pip install lmms-eval==0.7.3)"
)

#: A process of its own, as lmms-eval changes libraries while it is imported, and warns.
RUN = """
import hashlib, json, sys
from string import ascii_uppercase
from lmms_eval.api.model import lmms
from lmms_eval.evaluator import simple_evaluate
from lmms_eval.models import get_model
from lmms_eval.tasks import TaskManager

class Chooser(lmms):
    # `place(doc)` is the choice that it takes, by letter and by loss; it looks at what it is shown.
    def __init__(self, place):
        super().__init__()
        self.place, self.shown = place, {}
    def _doc(self, request, visual, doc_id, task, split):
        doc = self.task_dict[task][split][doc_id]
        self.shown[doc["question_id"]] = [(image.mode, *image.size) for image in visual(doc)]
        return doc
    def generate_until(self, requests):
        return [ascii_uppercase[self.place(self._doc(one, *one.args[2:]))] for one in requests]
    def loglikelihood(self, requests):
        docs = [self._doc(one, *one.args[2:]) for one in requests]
        return [(0.5 + (self.place(doc) != one.idx), False) for doc, one in zip(docs, requests)]
    def generate_until_multi_round(self, requests):
        raise NotImplementedError

manager = TaskManager(include_path=sys.argv[1], include_defaults=False)
tasks = ["partonomy_val", "partonomy_val_likelihood"]
loaded = manager.load_task_or_group(tasks)
told = {"tasks": manager.all_tasks, "documents": {}, "results": {}}
for name, task in loaded.items():
    told["documents"][name] = [
        {"id": doc["question_id"], "turn": doc["turn"], "text": task.doc_to_text(doc), "target": task.doc_to_target(doc),
         "shown": [(image.mode, *image.size) for image in task.doc_to_visual(doc)],
         "choices": task.doc_to_choice(doc) if task.OUTPUT_TYPE == "multiple_choice" else None}
        for doc in task.eval_docs
    ]
models = {
    "key": Chooser(lambda doc: doc["correct"]),
    "blind": Chooser(lambda doc: doc["choices"].index(min(doc["choices"]))),
    "dummy": get_model("dummy")(),
}
def drawn(doc):
    return hashlib.sha256((doc["question_id"] + doc["turn"]).encode()).digest()[0] % len(doc["choices"])

found = simple_evaluate(model=Chooser(drawn), tasks=["partonomy_train"], task_manager=manager, bootstrap_iters=0)
told["random"] = {name.removesuffix(",none"): value for name, value in found["results"]["partonomy_train"].items()}
told["n"] = sum(one["doc"]["turn"] == "parts" for one in found["samples"]["partonomy_train"])
for name, model in models.items():
    found = simple_evaluate(model=model, tasks=tasks, task_manager=manager, bootstrap_iters=0, log_samples=False)
    told["results"][name] = {
        task: {metric.removesuffix(",none"): value for metric, value in values.items() if metric.endswith(",none")}
        for task, values in found["results"].items()
    }
    if name == "key":
        told["seen"] = model.shown
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(exported: Export, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What lmms-eval makes of the folder, which was moved; it may use no network."""
    work = tmp_path_factory.mktemp("lmms-eval")
    shutil.copytree(exported("lmms-eval").out, work / "moved")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(work / "home")}
    command = [sys.executable, "-W", "ignore", "-c", RUN, "moved"]
    done = subprocess.run(command, env=environment, cwd=work, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def documents(exported: Export) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(exported("lmms-eval").out / "data" / "val.parquet").to_pylist()
    return found


def test_its_task_manager_finds_a_task_for_each_split_and_way(told: dict[str, Any], exported: Export) -> None:
    splits = [path.stem for path in (exported("lmms-eval").out / "data").iterdir()]
    assert told["tasks"] == sorted(f"partonomy_{split}{way}" for split in splits for way in ("", "_likelihood"))


def test_documents_texts_pictures_and_targets_are_those_that_were_written(
    told: dict[str, Any], documents: list[dict[str, Any]]
) -> None:
    by_letter, by_loss = (told["documents"][f"partonomy_val{way}"] for way in ("", "_likelihood"))
    for doc, letter, loss in zip(documents, by_letter, by_loss, strict=True):
        assert (letter["id"], letter["turn"]) == (loss["id"], loss["turn"]) == (doc["question_id"], doc["turn"])
        lines = letter["text"].splitlines()
        choices = [f"{'ABCDE'[place]}. {text}" for place, text in enumerate(doc["choices"])]
        assert lines[-1] == "One of them is right. Answer with its letter alone."
        assert lines[-1 - len(choices) : -1] == choices
        assert "\n".join(lines[: -1 - len(choices)]) == loss["text"]
        assert loss["text"].splitlines()[-1] == doc["question"]
        assert letter["target"] == "ABCDE"[doc["correct"]]
        assert (loss["target"], loss["choices"]) == (doc["correct"], doc["choices"])
        assert letter["shown"] == loss["shown"] == told["seen"][doc["question_id"]]
        assert letter["shown"][0][0] == "RGB"


def test_who_knows_has_1_and_who_does_not_look_has_chance(told: dict[str, Any]) -> None:
    for task in ("partonomy_val", "partonomy_val_likelihood"):
        key, blind = (told["results"][name][task] for name in ("key", "blind"))
        for metric in (
            "accuracy",
            "object_accuracy",
            "both_accuracy",
            "block_consistent",
            "chance_corrected",
            "answered",
        ):
            assert key[metric] == 1
        assert blind["balanced_accuracy"] == pytest.approx(blind["balanced_chance"])
        assert blind["chance_corrected"] == pytest.approx(0, abs=1e-6)
        assert blind["block_consistent"] == 0
        assert blind["chance"] == key["chance"] < 1


def test_a_random_choice_is_at_chance(told: dict[str, Any]) -> None:
    found, n = told["random"], told["n"]
    chance = found["chance"]
    assert n > 100
    assert abs(found["accuracy"] - chance) < 4 * (chance * (1 - chance) / n) ** 0.5


def test_its_own_dummy_that_always_says_a_is_not_right_by_place_and_ties_are_wrong(
    told: dict[str, Any], documents: list[dict[str, Any]]
) -> None:
    letters, losses = (told["results"]["dummy"][f"partonomy_val{way}"] for way in ("", "_likelihood"))
    first = [doc["correct"] == 0 for doc in documents if doc["turn"] == "parts"]
    assert letters["accuracy"] == sum(first) / len(first) < 1
    assert (losses["accuracy"], losses["answered"]) == (0, 1)


def test_standard_errors_are_of_scores_alone(told: dict[str, Any]) -> None:
    found = told["results"]["dummy"]["partonomy_val"]
    assert found["chance_stderr_clt"] == found["chance_corrected_stderr_clt"] == "N/A"
    assert found["accuracy_stderr_clt"] > 0
    assert told["random"]["accuracy_stderr_clustered"] > 0, "by group"
