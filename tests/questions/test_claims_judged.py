"""What a language model's word changes in what is said of a category, and that nobody takes it for evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.questions.asks import choose
from partonomy_data.questions.claims import Claim, Claims, claims, doubts
from partonomy_data.questions.context import Context, Taxonomy
from partonomy_data.questions.contrasts import contrasts
from partonomy_data.questions.inputs import Inputs
from partonomy_data.questions.kinds import Kinds
from partonomy_data.questions.settings import QuestionSettings
from partonomy_data.questions.truth import Sets
from partonomy_data.splits import HeldOut
from partonomy_data.taxonomy.judges import Judgement
from partonomy_data.taxonomy.relations import table as weighed
from schemas.tables import schema
from tests.questions.hand_made import graph_of

OBJECTS = {
    "bowl": ["rim", "lid"],
    "cup": ["rim", "handle", "grip"],
    "brush": ["brush head", "handle", "bristle"],
    "hammer": ["head", "handle", "side"],
}
KINDS = {"vessel": ["bowl", "cup"], "tool": ["brush", "hammer"]}
Verdict = tuple[str, str, str, float]


def taxonomy(verdicts: Iterable[Verdict], said: Iterable[Judgement], method: str = "llm") -> dict[str, pa.Table]:
    """The taxonomy's tables of OBJECTS and KINDS, with what a model says."""
    rows = [
        {
            "object_category": category,
            "part_category": part,
            "verdict": verdict,
            "method": method,
            "confidence": confidence,
            "call_id": "call_1" if method == "llm" else None,
        }
        for category, part, verdict, confidence in verdicts
    ]
    edges = [{"child": child, "parent": kind, "source": "paco"} for kind, some in KINDS.items() for child in some]
    return {
        "part_graph": graph_of(OBJECTS),
        "plausibility": pa.Table.from_pylist(rows, schema=schema("plausibility")),
        "category_graph": pa.Table.from_pylist(edges, schema=schema("category_graph")),
        "part_relations": weighed({part for parts in OBJECTS.values() for part in parts}, further=said),
    }


def made(
    verdicts: Iterable[Verdict] = (), said: Iterable[Judgement] = (), method: str = "llm"
) -> tuple[Claims, pa.Table]:
    tables = taxonomy(verdicts, said, method)
    relations = tables["part_relations"]
    kinds = Kinds.of_table(tables["category_graph"])
    return claims(tables["part_graph"], tables["plausibility"], relations, kinds, ["paco"]), relations


def status(found: Claims, category: str, part: str) -> tuple[str, bool]:
    """`has`, `lacks` or `unsettled`, and whether a model's word decides it."""
    at = found.row(category), int(found.columns([part])[0])
    assert not (found.shared[at] and found.unsettled[at])
    return "has" if found.shared[at] else "unsettled" if found.unsettled[at] else "lacks", bool(found.judged[at])


def llm(a: str, relation: str, b: str, confidence: float = 0.92, method: str = "llm") -> Judgement:
    return Judgement(a, b, relation, method, confidence, "call_2")


def test_without_a_model_nothing_is_judged() -> None:
    found, relations = made()
    assert not found.judged.any()
    assert len(doubts(relations)) == 0
    assert status(found, "bowl", "handle") == ("unsettled", False)
    assert status(found, "hammer", "lid") == ("lacks", False)


def test_what_a_model_finds_implausible_is_lacking_and_judged() -> None:
    found, _ = made([("bowl", "handle", "implausible", 0.92)])
    assert status(found, "bowl", "handle") == ("lacks", True)
    assert found.judged.sum() == 1


def test_what_a_model_finds_plausible_is_unsettled() -> None:
    found, _ = made([("hammer", "lid", "plausible", 0.92)])
    assert status(found, "hammer", "lid") == ("unsettled", False)


def test_a_verdict_that_says_what_the_rule_says_is_evidence_as_before() -> None:
    found, _ = made([("hammer", "lid", "implausible", 0.92)])
    assert status(found, "hammer", "lid") == ("lacks", False)


@pytest.mark.parametrize("verdict", ["plausible", "implausible"])
def test_no_verdict_takes_away_what_a_category_has(verdict: str) -> None:
    found, _ = made([("cup", "handle", verdict, 0.95)])
    assert status(found, "cup", "handle") == ("has", False)


def test_an_unsure_verdict_makes_nothing_lacking() -> None:
    found, _ = made([("bowl", "handle", "implausible", 0.75)])
    assert status(found, "bowl", "handle") == ("unsettled", False)


def test_a_model_has_no_say_on_places_nor_on_what_a_related_part_speaks_for() -> None:
    """A bowl has a side, whatever is said; a hammer's head may be called a brush head, for all the rule knows."""
    found, _ = made([("bowl", "side", "implausible", 0.95), ("hammer", "brush head", "implausible", 0.95)])
    assert status(found, "bowl", "side") == ("unsettled", False)
    assert status(found, "hammer", "brush head") == ("unsettled", False)


def test_a_source_s_verdict_is_evidence() -> None:
    found, _ = made([("bowl", "handle", "implausible", 1.0)], method="source")
    assert status(found, "bowl", "handle")[0] == "lacks"
    assert not found.judged.any()


def test_names_that_a_model_calls_the_same_make_a_part_shared_and_judged() -> None:
    found, _ = made(said=[llm("bristle", "same", "rim")])
    assert status(found, "cup", "bristle") == ("has", True)
    assert status(found, "brush", "rim") == ("has", True)
    assert status(found, "brush", "bristle") == ("has", False)


def test_what_follows_from_a_model_s_word_is_judged_too() -> None:
    """grip < handle is curated and unsure; bristle same as lid, lid same as rim: only the model joins them."""
    found, relations = made(said=[llm("bristle", "same", "lid"), llm("lid", "same", "rim")])
    rows = {(row["part_a"], row["part_b"]): row for row in relations.to_pylist()}
    assert rows["bristle", "rim"]["method"] == "closure"
    assert rows["bristle", "rim"]["call_id"] == "call_2"
    assert status(found, "cup", "bristle") == ("has", True)


def test_names_that_a_model_keeps_apart_make_a_part_lacking_and_judged() -> None:
    """By the rule on head nouns a hammer may have a brush head; its sibling has one, so that it stays unsettled."""
    said = [llm("brush head", "distinct", "head")]
    found, relations = made(said=said)
    assert status(made()[0], "hammer", "brush head") == ("unsettled", False)
    assert status(found, "hammer", "brush head") == ("unsettled", False)
    found, _ = made([("hammer", "brush head", "implausible", 0.95)], said)
    assert status(found, "hammer", "brush head") == ("lacks", True)
    # The pair stays doubtful where wrong choices are told from right ones.
    assert [(row["part_a"], row["relation"], row["call_id"]) for row in doubts(relations).to_pylist()] == [
        ("brush head", "narrower", None)
    ]


def test_a_shard_s_context_says_what_is_judged_and_keeps_the_doubts(tmp_path: Path) -> None:
    def written(said: list[Judgement], verdicts: list[Verdict]) -> Context:
        folder = tmp_path / str(len(said))
        tables = taxonomy(verdicts, said)
        names = [{"object_category": one, "sources": ["paco"], "source_categories": []} for one in OBJECTS]
        rows = [{**row, "supercategory": None, "n_objects": 1, "n_images": 1} for row in names]
        tables["object_categories"] = pa.Table.from_pylist(rows, schema=schema("object_categories"))
        for name, table in tables.items():
            (folder / name).mkdir(parents=True)
            pq.write_table(table, folder / name / "all.parquet")
        made = Taxonomy(Inputs(folder), QuestionSettings())
        parts = {category: frozenset(own) for category, own in OBJECTS.items()}
        return made.context("paco", "train", "vessel", parts, HeldOut())

    by_rule = written([], [])
    by_model = written([llm("brush head", "distinct", "head")], [("bowl", "handle", "implausible", 0.92)])
    assert {name for one in by_rule.claims.values() for name in one.judged} == set()
    assert by_model.claims["bowl"].judged == {"handle"}
    assert "handle" not in by_model.claims["bowl"].unsettled
    # No choice is wrong only because the model takes a brush head for no head.
    assert by_model.related["brush head"] == by_rule.related["brush head"] == ["head"]


def claim(found: Claims, category: str, parts: Sequence[str]) -> Claim:
    by_status: Mapping[str, list[str]] = {
        one: [part for part in parts if status(found, category, part)[0] == one] for one in ("has", "unsettled")
    }
    return Claim(
        shared={part: part for part in by_status["has"]},
        heads={},
        unsettled=frozenset(by_status["unsettled"]),
        curated=True,
        judged=frozenset(part for part in parts if status(found, category, part)[1]),
    )


def asked(found: Claims, parts: Sequence[str]) -> dict[str, Any]:
    """The questions on three cups with different ones of `parts`, compared with a bowl: type → its Ask."""
    n = len(parts)
    visible = np.ones((n, n), bool) & ~np.eye(n, dtype=bool)
    sets = Sets(tuple(parts), visible, np.zeros((n, n), bool), np.eye(n, dtype=bool))
    compared = contrasts(["bowl"], {"bowl": claim(found, "bowl", parts)}, parts)
    return {one.question_type: one for one in choose([sets], compared, True, "key", 8)}


def test_a_question_that_rests_on_a_model_s_word_is_not_verified() -> None:
    parts = ["bristle", "head", "handle", "rim"]
    by_rule, _ = made([("bowl", "handle", "implausible", 1.0)], method="source")
    by_model, _ = made([("bowl", "handle", "implausible", 0.95)])
    assert asked(by_rule, parts)["identification"].curated
    assert asked(by_model, parts)["identification"].curated
    # Without the rim, which a bowl has, the three answers are two parts each, of the three that it lacks.
    parts = ["bristle", "head", "handle"]
    assert asked(by_rule, parts)["difference"].curated
    assert not asked(by_model, parts)["difference"].curated
    # The same category is evidence still where the part isn't among those that are shown.
    parts = ["bristle", "head", "brush head"]
    assert asked(by_model, parts)["difference"].curated


_PARTS = sorted({part for parts in OBJECTS.values() for part in parts})
_SAID = st.lists(
    st.builds(
        llm,
        st.sampled_from(_PARTS),
        st.sampled_from(["same", "narrower", "broader", "distinct"]),
        st.sampled_from(_PARTS),
        st.sampled_from([0.3, 0.85, 0.92]),
        st.sampled_from(["llm", "llm_unsure"]),
    ).filter(lambda one: one.part_a != one.part_b),
    max_size=5,
)
_VERDICTS = st.lists(
    st.tuples(
        st.sampled_from(sorted(OBJECTS)),
        st.sampled_from(_PARTS),
        st.sampled_from(["plausible", "implausible"]),
        st.sampled_from([0.7, 0.92]),
    ),
    max_size=6,
    unique_by=lambda one: one[:2],
)


@given(_VERDICTS, _SAID)
def test_what_is_settled_and_not_judged_is_what_the_rules_say(verdicts: list[Verdict], said: list[Judgement]) -> None:
    """Whatever a model says, of all that counts as evidence nothing is otherwise than without it."""
    by_rule, _ = made()
    found, _ = made(verdicts, said)
    evident = ~found.judged & ~found.unsettled
    assert (found.shared == by_rule.shared)[evident].all()
    assert not by_rule.unsettled[evident].any()
    assert not (found.judged & found.unsettled).any()
    # And what a category has by its own names is nobody's opinion.
    assert found.shared[found.has].all()
    assert not found.judged[found.has].any()
