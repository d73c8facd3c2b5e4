"""Every choice of every question of the demo world, judged by what was drawn, not by what was annotated."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import partonomy_data
from partonomy_data import BuildConfig, SourceSetting
from tests.questions import oracle, structure
from tests.questions.oracle import Judgement

TYPES = ("contrast", "difference", "identification", "intersection", "part_to_whole", "whole_to_part")
#: Least shares for questions whose source leaves parts out, by the world's plan one in thirteen, so that some object in two
#: lacks one: of right choices that are true, of all choices that are labeled rightly, of object choices.
LEAST_TRUE, LEAST_LABELED, LEAST_OBJECTS = 0.4, 0.8, 0.95
#: Of the choices of unverified questions, the most that may be labeled against what is annotated too.
MOST_AGAINST_THE_SOURCE = 0.01


@pytest.fixture(scope="module")
def judgement(demo_store: Path) -> Judgement:
    return oracle.judge_store(demo_store)


@pytest.fixture(scope="module")
def tables(demo_store: Path) -> structure.Tables:
    return structure.tables_of(demo_store)


def told(judgement: Judgement, evidence: str) -> str:
    return "\n".join(["", *map(str, judgement.of(evidence)[:10]), judgement.summary()])


def check(judgement: Judgement) -> None:
    """Verified questions are right in everything; of the others the measured shares are above their floors."""
    assert not judgement.of("verified"), told(judgement, "verified")
    assert judgement.share("right choice", "unverified") >= LEAST_TRUE, told(judgement, "unverified")
    assert judgement.share("choice", "unverified") >= LEAST_LABELED, told(judgement, "unverified")
    assert judgement.share("object choice", "unverified") >= LEAST_OBJECTS, told(judgement, "unverified")
    against = [one for one in judgement.of("unverified") if not one.left_out]
    most = MOST_AGAINST_THE_SOURCE * judgement.total("choice", "agreed", "disagreed", evidence="unverified")
    assert len(against) <= most, "\n".join(map(str, against[:20]))


def test_verified_questions_are_right_in_every_choice_and_the_others_mostly(judgement: Judgement) -> None:
    print(judgement.summary())
    check(judgement)


def test_what_is_named_as_common_is_no_more_than_the_other_category_has(judgement: Judgement) -> None:
    """A cat and a bookcase have feet in common, but no paws."""
    asked = judgement.total("question", "agreed", "disagreed", "undecided", question_type="intersection")
    assert asked > 50
    assert len({row["question_id"] for row, _ in judgement.too_narrow}) <= 0.02 * asked, judgement.too_narrow[:5]


def test_the_judge_can_tell_of_nearly_every_choice(judgement: Judgement) -> None:
    """A verdict is open only where the world lacks the category or the word; too many would mean that nothing was judged."""
    for what in ("choice", "right choice"):
        total = judgement.total(what, "agreed", "disagreed", "undecided")
        assert total > 600
        assert judgement.total(what, "undecided") < 0.1 * total, judgement.summary()


def test_all_types_are_asked_named_and_unnamed_with_both_kinds_of_evidence(tables: structure.Tables) -> None:
    seen = Counter((row["question_type"], row["names_object"]) for row in tables.questions)
    assert {kind for kind, _ in seen} == set(TYPES)
    assert {kind for kind, named in seen if named} == {"contrast", "difference", "identification", "intersection"}
    assert {kind for kind, named in seen if not named} == set(TYPES)
    assert {row["evidence"] for row in tables.questions} == {"verified", "unverified"}
    assert {row["balanced"] for row in tables.questions} == {True, False}


def test_tables_hold_what_any_store_s_must(tables: structure.Tables) -> None:
    faults = structure.faults(tables)
    assert not faults, "\n".join(map(str, [Counter(fault.rule for fault in faults), *faults[:20]]))


def test_questions_are_in_their_files_by_split_and_source(demo_store: Path) -> None:
    with partonomy_data.open(demo_store) as store:
        for table in ("questions", "question_masks"):
            files = store.files(table)
            assert len(files) > 4
            for path in files:
                split, source, name = path.relative_to(store.folder / table).parts
                assert (split.startswith("split="), source.startswith("source="), name.endswith(".parquet")) == (
                    True,
                ) * 3
        for path in store.files("questions"):
            rows = pq.read_table(path, columns=["split", "source"], partitioning=None).to_pylist()
            held = {(f"split={row['split']}", f"source={row['source']}") for row in rows}
            assert held == {path.relative_to(store.folder / "questions").parts[:2]}


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_medium_world_too(tmp_path: Path) -> None:
    from partonomy_data.demo import write

    world = write(tmp_path / "store" / "demo", size="medium", world_seed=3, photo_seed=5)
    sources = {name: SourceSetting(str(path)) for name, path in sorted(world.sources.items())}
    partonomy_data.build(tmp_path / "store", BuildConfig(sources=sources))
    found = oracle.judge_store(tmp_path / "store")
    print(found.summary())
    check(found)
    faults = structure.faults_of(tmp_path / "store")
    assert not faults, "\n".join(map(str, faults[:20]))
