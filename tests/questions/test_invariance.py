"""Questions don't depend on the order of the input, the number of processes, hash seeds, or what categories are called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import partonomy_data
from partonomy_data import BuildConfig
from partonomy_data.questions.settings import CONTRASTS, TWO_TURNS, QuestionSettings
from partonomy_data.splits import SplitSettings
from tests.questions import changed_sources
from tests.questions.changed_sources import config, copied, files

Row = dict[str, Any]

#: Two sources are enough here: one whose rows have an order, one whose files have.
PAIR = ("paco", "pascal_part")


@pytest.fixture(scope="module")
def pair(demo_store: Path, once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A store of two sources of the demo world."""
    return once("demo-pair", lambda root: _build(root, config(demo_store / "demo", PAIR)))


def _build(root: Path, how: BuildConfig) -> None:
    partonomy_data.build(root, how)


@pytest.mark.soak  # `tests/pipeline/test_build.py` has other orders and numbers of workers
def test_neither_the_order_of_the_input_nor_the_number_of_workers_matters(
    demo_store: Path, pair: Path, tmp_path: Path
) -> None:
    world = copied(demo_store / "demo", tmp_path / "world", PAIR)
    for path in (world / "paco" / "annotations").glob("*.json"):
        changed_sources.change_json(path, changed_sources.reverse)
    for name in PAIR:
        changed_sources.put_in_other_order(world / name)
    turned = BuildConfig(sources=dict(reversed(config(world, PAIR).sources.items())), workers=2)
    partonomy_data.build(tmp_path / "store", turned)
    assert files(tmp_path / "store") == files(pair)


@pytest.mark.soak  # `tests/pipeline/test_build.py` has one of another hash seed
@pytest.mark.parametrize("seed", ["0", "1", "random"])
def test_the_hash_seed_does_not_matter(demo_store: Path, pair: Path, tmp_path: Path, seed: str) -> None:
    command = [sys.executable, "-m", "partonomy_data", "build", "--root", str(tmp_path / "store"), "--workers", "1"]
    for name in PAIR:
        command += ["--source", f"{name}={demo_store / 'demo' / name}"]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "store") == files(pair)


def structure_of(root: Path, back: dict[str, str]) -> tuple[Row, Counter[tuple[Any, ...]]]:
    """What doesn't depend on names: of each object its split and right answer (by number of parts); counts of questions."""
    rows = changed_sources.table(root, "questions").to_pylist()
    answers: Row = {}
    kinds: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        if row["question_type"] == "identification":
            parts = row["choices"][row["correct_index"]]["parts"]
            answers[row["object_id"]] = (row["split"], row["source"], frozenset(back[part] for part in parts))
        kinds[row["split"], row["question_type"], row["names_object"], row["balanced"], len(row["choices"])] += 1
    return answers, kinds


@pytest.mark.soak
def test_new_names_for_all_categories_keep_the_structure(demo_store: Path, tmp_path: Path) -> None:
    """Two sets of words that mean nothing in English, so that the lexicon has nothing to say of either.

    Whom a question is about, whose answers it chooses among, and what is right, are decided by keys of the instances
    and by what is annotated. Names decide which groups of a category name their object (and those that do aren't asked the
    types of two turns), which contrasts are drawn, and which templates.
    """
    content = json.loads((demo_store / "demo" / "paco" / "annotations" / "paco_lvis_v1_train.json").read_text("utf-8"))
    names = {name for row in content["categories"] for name in row["name"].split(":")}
    settings = QuestionSettings(splits=SplitSettings(unseen_objects=0, unseen_parts=0, unseen_pairs=0))
    found = []
    for letters in ("bdgkrvaeo", "fhlntzaio"):
        words = changed_sources.opaque_words(names, letters)
        world = copied(demo_store / "demo", tmp_path / letters, ("paco",))
        for path in (world / "paco" / "annotations").glob("*.json"):
            changed_sources.change_json(path, changed_sources.renamed(words))
        partonomy_data.build(tmp_path / f"{letters}-store", config(world, ("paco",), questions=settings))
        found.append(structure_of(tmp_path / f"{letters}-store", {word: name for name, word in words.items()}))
    (first, first_kinds), (second, second_kinds) = found
    assert len(first) > 50
    assert first == second
    assert identified(first_kinds) == identified(second_kinds)
    for kinds in (first_kinds, second_kinds):
        unnamed = sum(n for (_, kind, named, _, _), n in kinds.items() if kind == "identification" and not named)
        first_turn, last_turn = (sum(n for key, n in kinds.items() if key[1] == kind) for kind in TWO_TURNS)
        assert 0 < first_turn == last_turn <= unnamed
    for kind in CONTRASTS:
        one, two = (sum(n for key, n in kinds.items() if key[1] == kind) for kinds in (first_kinds, second_kinds))
        assert one == pytest.approx(two, rel=0.3, abs=10)


def identified(kinds: Counter[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
    """(split, balanced, number of choices) → questions of the type identification, whether they name the object or not."""
    found: Counter[tuple[Any, ...]] = Counter()
    for (split, kind, _, balanced, length), n in kinds.items():
        if kind == "identification":
            found[split, balanced, length] += n
    return found
