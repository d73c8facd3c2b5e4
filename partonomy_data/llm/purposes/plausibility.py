"""Whether an object could have a part, as a language model sees it: only where a question would rest on it.

A question that compares an object with another category rests on what the other has and lacks. The sources say what it
has; that it lacks a part is a rule's inference (`questions.claims`), and often the rule can't tell. Those are the pairs
that are asked about: the parts of a category that its best few contrast categories aren't known to have. A pair that
the table has already is never asked about, nor are places that anything has, as "side" or "back".

A verdict is believed as far as the controls bear it out: pairs that the part graph has, and absurd ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
import pyarrow as pa

from partonomy_data.llm.brief import Answered, Asks, Brief, Item, Unanswered
from partonomy_data.llm.guard import reads_as_a_name
from partonomy_data.llm.purposes.controls import Score, controls, scores
from partonomy_data.questions import keyed
from partonomy_data.questions.claims import claims
from partonomy_data.questions.contrasts import contrast_names
from partonomy_data.questions.kinds import Kinds
from partonomy_data.taxonomy.lexicon import lexicon
from schemas.tables import schema

#: Contrast categories of a category that are asked about: as many of the nearest as questions choose from.
NEAREST: Final = 6
#: The most pairs; those that the fewest questions rest on are left out.
MOST: Final = 24_000
_VERDICTS: Final = ("plausible", "implausible")

_INSTRUCTIONS: Final = """\
You judge which parts objects have. Each item names an object, of an everyday kind or as it occurs in photographs, and a \
part. Say whether an object of this kind could have such a part:

plausible: some ordinary objects of this kind have such a part, be it under another name, or only some models, breeds or \
designs.
implausible: no ordinary object of this kind has such a part under any name. What only an imagined, broken or toy one \
would have doesn't count.

A part belongs to the object itself: what merely lies on it, is held by it or stands beside it is no part. \
If in doubt, answer plausible."""


class Plausibility(msgspec.Struct, frozen=True):
    """The answer to one item."""

    verdict: Annotated[
        Literal["plausible", "implausible"], msgspec.Meta(description="whether such an object could have the part")
    ]


@dataclass(frozen=True, slots=True)
class Pair:
    """An object category and a part that it isn't known to have."""

    object_category: str
    part_category: str
    questions: int = 0
    """Objects with the part that could be asked about in comparison with the category."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked about objects and parts, and what came of it. Counts are of pairs."""

    pairs: int
    unreadable: int
    """Not asked: a name that doesn't read as one."""
    controls: dict[str, Score]
    controls_unanswered: int
    judged: dict[str, int]
    """By verdict, what is believed."""
    not_believed: int
    """Answered with a verdict that the model isn't believed in, or not asked as it isn't believed in any."""
    unanswered: int


@dataclass(frozen=True, slots=True)
class JudgedPairs:
    """What a model says of objects and parts."""

    rows: pa.Table
    """As in the table `plausibility`, sorted."""
    report: Report


def pairs(tables: Mapping[str, pa.Table], curated_sources: Collection[str]) -> list[Pair]:
    """The pairs that questions would rest on, those that the most rest on first, at most MOST.

    `tables` are the taxonomy's: part_graph, category_graph, part_relations, plausibility.
    """
    graph, given = tables["part_graph"], tables["plausibility"]
    kinds = Kinds.of_table(tables["category_graph"])
    known = claims(graph, given, tables["part_relations"], kinds, curated_sources)
    open_ = ~known.shared
    open_ &= ~np.array([part.rsplit(" ", 1)[-1] in lexicon().regions for part in known.parts], bool)
    row = {category: place for place, category in enumerate(known.categories)}
    column = {part: place for place, part in enumerate(known.parts)}
    for category, part in _columns(given, "object_category", "part_category"):
        if category in row and part in column:
            open_[row[category], column[part]] = False
    shown: dict[str, dict[str, int]] = defaultdict(dict)
    for category, part, n in _columns(graph, "object_category", "part_category", "n_with_part"):
        shown[category][part] = max(n, 1)
    resting: Counter[tuple[str, str]] = Counter()
    # What may become a contrast, once it is known to lack what it isn't known to have, beside those that are now.
    hoped = replace(known, unsettled=known.unsettled & ~open_)
    for category, parts in sorted(shown.items()):
        compared = [contrast_names(category, parts, one, kinds, ())[:NEAREST] for one in (known, hoped)]
        for other in dict.fromkeys(name for names in compared for name in names):
            for part, n in parts.items():
                if open_[row[other], column[part]]:
                    resting[other, part] += n
    ranked = sorted(resting.items(), key=lambda one: (-one[1], one[0]))
    return [Pair(*pair, n) for pair, n in ranked[:MOST]]


def known_pairs(part_graph: pa.Table) -> list[tuple[Pair, str]]:
    """Controls, in an order that mixes them: (pair, verdict). As many of the graph's own pairs as absurd ones.

    Those that photographs show come before those that are only declared; an absurd pair that the graph has is none.
    """
    graph = set(_columns(part_graph, "object_category", "part_category"))
    absurd = [pair for pair in controls().absurd if pair not in graph]
    seen: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for category, part, evidence in _columns(part_graph, "object_category", "part_category", "evidence"):
        if reads_as_a_name(category) and reads_as_a_name(part):
            seen[evidence].append((category, part))
    own = [pair for kind in ("annotated", "curated") for pair in keyed.shuffled(seen[kind], "plausibility")]
    found = [(Pair(*pair), "plausible") for pair in own[: len(absurd)]]
    return keyed.shuffled([*found, *((Pair(*pair), "implausible") for pair in absurd)], "controls")


def judge(asks: Asks, pairs: Iterable[Pair], controls: Sequence[tuple[Pair, str]]) -> JudgedPairs:
    """Asks the controls (see `known_pairs`), then the pairs in their order, and judges by what the model is worth.

    The pairs aren't asked at all if the controls show that the model isn't believed in anything.
    """
    every = list(pairs)
    readable = [one for one in every if reads_as_a_name(one.object_category) and reads_as_a_name(one.part_category)]
    tried = _ask(asks, [pair for pair, _ in controls])
    measured = scores(
        _VERDICTS,
        [
            (truth, one.value.verdict)
            for (_, truth), one in zip(controls, tried, strict=True)
            if isinstance(one, Answered)
        ],
    )
    held_back = any(isinstance(one, Unanswered) and one.why == "not_stored" for one in tried)
    believed = {verdict: score.confidence for verdict, score in measured.items() if score.confidence is not None}
    counts: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    if not believed and not held_back:
        counts["not_believed"] = len(readable)
        readable = []
    for one, answer in zip(readable, _ask(asks, readable), strict=True):
        if isinstance(answer, Unanswered):
            counts["unanswered"] += 1
        elif answer.value.verdict not in believed:
            counts["not_believed"] += 1
        else:
            counts[answer.value.verdict] += 1
            rows.append(_row(one, answer, believed[answer.value.verdict]))
    report = Report(
        pairs=len(every),
        unreadable=sum(
            not (reads_as_a_name(one.object_category) and reads_as_a_name(one.part_category)) for one in every
        ),
        controls=measured,
        controls_unanswered=sum(isinstance(one, Unanswered) for one in tried),
        judged={verdict: counts[verdict] for verdict in _VERDICTS},
        not_believed=counts["not_believed"],
        unanswered=counts["unanswered"],
    )
    return JudgedPairs(_table(rows), report)


def merged(table: pa.Table, rows: pa.Table) -> pa.Table:
    """The table `plausibility` with further rows, sorted; a row that it has for a pair already wins."""
    known = set(_columns(table, "object_category", "part_category"))
    new = [pair not in known for pair in _columns(rows, "object_category", "part_category")]
    return _table([*table.to_pylist(), *rows.filter(pa.array(new, pa.bool_())).to_pylist()])


def judged(asks: Asks, tables: Mapping[str, pa.Table], curated_sources: Collection[str]) -> tuple[pa.Table, Report]:
    """The table `plausibility` with a model's verdicts added, and the report; `tables` as for `pairs`."""
    said = judge(asks, pairs(tables, curated_sources), known_pairs(tables["part_graph"]))
    return merged(tables["plausibility"], said.rows), said.report


def _columns(table: pa.Table, *names: str) -> Iterable[tuple[Any, ...]]:
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def _check(_item: Item, _answer: Plausibility) -> str | None:
    """Nothing is wrong with either word as such."""
    return None


#: What is asked of each pair.
BRIEF: Final = Brief("plausibility", _INSTRUCTIONS, Plausibility, _check, pack=20, tokens=32)


def _ask(asks: Asks, pairs: Sequence[Pair]) -> list[Answered[Plausibility] | Unanswered]:
    """What came of each pair."""
    items = [
        Item(f"{one.object_category} ? {one.part_category}", {"object": one.object_category, "part": one.part_category})
        for one in pairs
    ]
    outcomes = asks.ask(BRIEF, items) if items else {}
    return [outcomes.get(item.id, Unanswered("failed", "no outcome")) for item in items]


def _row(one: Pair, answer: Answered[Plausibility], confidence: float) -> dict[str, Any]:
    return {
        "object_category": one.object_category,
        "part_category": one.part_category,
        "verdict": answer.value.verdict,
        "method": "llm",
        "confidence": confidence,
        "call_id": answer.call_id,
    }


def _table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    ordered = sorted(rows, key=lambda row: (row["object_category"], row["part_category"]))
    return pa.Table.from_pylist(ordered, schema=schema("plausibility"))
