"""What may be said of the parts of an object category that is only named: it has a part, lacks it, or nobody can tell.

A category *has* a part if the part graph says so, under that name or one that is the same, broader or narrower with a
confidence of at least CONFIDENT. It *lacks* a part only where nothing speaks for it: no name that is related however
doubtfully, no sibling category that has it or a relative of it, no verdict that it is plausible; and never a part that
is a mere place, as "side" or "back". Anything between is *unsettled*, and no question rests on it. Of categories whose
parts no source's authors chose one by one, cousins speak as siblings do: a list such as "head, body, foot, tail" for
all quadrupeds says nothing of ears. A category without any sibling lacks nothing, as far as we know.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from partonomy_data.questions.kinds import Kinds
from partonomy_data.taxonomy.algebra import PartRelations
from partonomy_data.taxonomy.judges import HEAD_NOUN
from partonomy_data.taxonomy.lexicon import lexicon

Bools = NDArray[np.bool_]

#: Least confidence of a relation that a claim may rest on (the head-noun rule, which is less sure, has false friends).
CONFIDENT: Final = 0.8


class Claim(msgspec.Struct, frozen=True):
    """What may be said of a contrast category."""

    shared: dict[str, str]
    """The shard's parts that it has, each with its own name of the part: the same, a broader or a narrower one."""
    heads: dict[str, str]
    """Those of them whose own name is broader: what can be said of both."""
    unsettled: frozenset[str]
    """Parts that it may have. What is in neither, it lacks."""
    curated: bool
    """Whether what it lacks is the evidence of a source's authors."""
    judged: frozenset[str] = frozenset()
    """Parts of which a language model's word decides that it has or lacks them."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Categories × parts, as Boolean arrays of shape (categories, parts)."""

    categories: tuple[str, ...]
    parts: tuple[str, ...]
    has: Bools
    """The part graph's own names."""
    shared: Bools
    """It has the part, under this or a related name."""
    unsettled: Bools
    curated: Bools
    """Of each category: a source's authors chose its parts, so what it lacks is their evidence."""
    judged: Bools
    """Settled, and without a language model's word it would not be, or the other way."""

    def row(self, category: str) -> int:
        """The category's row. Raises KeyError."""
        return _index(self.categories)[category]

    def columns(self, parts: Collection[str]) -> NDArray[np.int64]:
        """The columns of parts; -1 for one that is in no category."""
        at = _index(self.parts)
        return np.array([at.get(part, -1) for part in parts], np.int64)


def _index(names: tuple[str, ...]) -> Mapping[str, int]:
    return {name: place for place, name in enumerate(names)}


def claims(
    part_graph: pa.Table,
    plausibility: pa.Table,
    relations: pa.Table,
    kinds: Kinds,
    curated_sources: Collection[str],
) -> Claims:
    """Makes the claims from the taxonomy's tables."""
    pairs = list(zip(part_graph["object_category"].to_pylist(), part_graph["part_category"].to_pylist(), strict=True))
    categories = tuple(sorted({category for category, _ in pairs}))
    parts = tuple(sorted({part for _, part in pairs}))
    row, column = _index(categories), _index(parts)
    has = np.zeros((len(categories), len(parts)), bool)
    curated = np.zeros(len(categories), bool)
    for (category, part), sources in zip(pairs, part_graph["sources"].to_pylist(), strict=True):
        has[row[category], column[part]] = True
        curated[row[category]] |= not set(curated_sources).isdisjoint(sources)

    siblings, cousins = _groups(categories, kinds.parents), _groups(categories, kinds.roots)
    places = np.array([part.rsplit(" ", 1)[-1] in lexicon().regions for part in parts], bool)

    def settled(of: pa.Table, verdicts: pa.Table) -> tuple[Bools, Bools]:
        """What each category has, and what is unsettled."""
        shared = _reach(has, _related(PartRelations.of_table(of, least=CONFIDENT), parts))
        related = _related(PartRelations.of_table(of), parts)
        own = _reach(has, related) | places
        hinted = own.copy()
        for place, category in enumerate(categories):
            groups = siblings if curated[place] else cousins
            kin = set().union(*(groups[name] for name in (kinds.parents if curated[place] else kinds.roots)(category)))
            kin |= set(siblings[category])
            of_kin = np.asarray(has[sorted(kin)].any(axis=0))[None]
            hinted[place] |= _reach(of_kin, related)[0] if kin - {place} else True
        _judged(verdicts, row, column, shared, own, hinted)
        return shared, hinted & ~shared

    shared, unsettled = settled(relations, plausibility)
    judged = np.zeros_like(has)
    of_model = [_by_model(table) for table in (relations, plausibility)]
    if any(pc.any(rows).as_py() for rows in of_model):
        ruled = pa.concat_tables([relations.filter(pc.invert(of_model[0])), doubts(relations)])
        by_rule = settled(ruled, plausibility.filter(pc.invert(of_model[1])))
        judged = ((shared != by_rule[0]) | (unsettled != by_rule[1])) & ~unsettled
    return Claims(categories, parts, has, shared, unsettled, curated, judged)


def doubts(relations: pa.Table) -> pa.Table:
    """What the rule on head nouns would say ("brush head", "head") of names that a language model keeps apart."""
    said = relations.filter(_by_model(relations)).to_pylist()
    rows = [
        {**row, "relation": "narrower", "method": "head_noun", "confidence": HEAD_NOUN, "call_id": None}
        for row in said
        if row["relation"] == "distinct" and row["part_a"].endswith(f" {row['part_b']}")
    ]
    return pa.Table.from_pylist(rows, schema=relations.schema)


def _by_model(table: pa.Table) -> pa.ChunkedArray:
    """Which rows rest on a language model's word."""
    return pc.or_(pc.is_valid(table["call_id"]), pc.starts_with(table["method"], "llm"))


def _groups(categories: tuple[str, ...], heads: Callable[[str], Collection[str]]) -> Mapping[str, list[int]]:
    """Head → the rows of its categories, its own among them."""
    groups: dict[str, list[int]] = defaultdict(list)
    for place, category in enumerate(categories):
        for head in {category, *heads(category)}:
            groups[head].append(place)
    return groups


def _related(relations: PartRelations, parts: tuple[str, ...]) -> Bools:
    """Parts × parts: equal or related."""
    column = _index(parts)
    related = np.eye(len(parts), dtype=bool)
    for part, place in column.items():
        related[place, [column[one] for one in relations.related(part) if one in column]] = True
    return related


def _reach(has: Bools, related: Bools) -> Bools:
    return (has.astype(np.float32) @ related.astype(np.float32)) > 0


def _judged(
    plausibility: pa.Table, row: Mapping[str, int], column: Mapping[str, int], shared: Bools, own: Bools, hinted: Bools
) -> None:
    """Lets verdicts win over the rule, where they were given by more than a rule: an implausible part is lacking.

    A language model makes no part lacking that the category's `own` parts speak for, and none if it is unsure.
    """
    columns = [plausibility[name].to_pylist() for name in ("object_category", "part_category", "verdict", "confidence")]
    by_model = _by_model(plausibility).to_pylist()
    for category, part, verdict, confidence, unchecked in zip(*columns, by_model, strict=True):
        if category in row and part in column:
            at = row[category], column[part]
            if verdict == "implausible" and unchecked and (own[at] or confidence < CONFIDENT):
                continue
            hinted[at] = verdict != "implausible" or shared[at]
