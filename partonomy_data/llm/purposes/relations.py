"""How part names relate, as a language model sees it.

Each pair is asked both ways round, as two items that never travel together. Only what is said both times counts: a
model that goes by the order of the names, or by the mood, contradicts itself. How far it is believed after that, the
controls say (`controls`), which are asked first and in the same words.

    agrees with itself, and is believed in that      a judgement, method `llm`, confidence as measured
    agrees with itself, and is not believed          nothing: the rule stands
    contradicts itself                               distinct, method `llm_unsure`, which every rule outranks
    doesn't answer one of the two                    nothing: the rule stands
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Protocol, TypeAlias

import msgspec
import pyarrow as pa

from partonomy_data.llm.brief import Answered, Asks, Brief, Item, Unanswered
from partonomy_data.llm.guard import reads_as_a_name
from partonomy_data.llm.purposes.controls import Score, controls, kind, scores
from partonomy_data.questions import keyed
from partonomy_data.taxonomy import blocking
from partonomy_data.taxonomy import relations as weighing
from partonomy_data.taxonomy.judges import Judgement
from partonomy_data.taxonomy.overrides import INVERSE, Overrides

UNSURE: Final = 0.3
_VERDICTS: Final = ("same", "narrower", "distinct")
#: Pairs that are asked one way round before they are asked the other way; more than any pack holds.
_STRETCH: Final = 200

_INSTRUCTIONS: Final = """\
You compare names of parts of objects, taken from image datasets in which the parts are outlined. Each item has two part \
names, "a" and "b", and for each some kinds of object that have such a part. Say what a is to b:

same: the two names mean the same part. Whatever is called a could as well be called b, and the other way round.
narrower: a is a kind of b. Whatever is called a may also be called b, but some things called b are not a.
broader: b is a kind of a. Whatever is called b may also be called a, but some things called a are not b.
distinct: anything else. A part of a part is distinct from it: a toenail is no kind of toe, nor a toe a kind of toenail. \
Parts that are neighbors, look alike, serve the same end or share a word are distinct, unless one is a kind of the other.

Go by what the names mean in the objects that are listed, not by how they are spelled. If neither name can stand for the \
other, answer distinct."""


class Relation(msgspec.Struct, frozen=True):
    """The answer to one item."""

    relation: Annotated[
        Literal["same", "broader", "narrower", "distinct"], msgspec.Meta(description="what a is to b: a is … than b")
    ]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked about part names, and what came of it. Counts are of pairs."""

    candidates: int
    unreadable: int
    """Not asked: a name that doesn't read as one."""
    controls: dict[str, Score]
    """By verdict, how the model did on the controls."""
    controls_unanswered: int
    judged: dict[str, int]
    """By verdict, what is believed."""
    unsure: int
    """Answered in one way and, turned round, in another."""
    not_believed: int
    """Answered with a verdict that the model isn't believed in, or not asked as it isn't believed in any."""
    unanswered: int
    refused: tuple[str, ...] = ()
    """Believed, and yet not taken up, as rules or surer answers contradict: a line each."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model says of part names."""

    judgements: tuple[Judgement, ...]
    report: Report


class Pair(Protocol):
    """Two part names, each with some object categories that have it."""

    @property
    def part_a(self) -> str: ...
    @property
    def part_b(self) -> str: ...
    @property
    def contexts_a(self) -> tuple[str, ...]: ...
    @property
    def contexts_b(self) -> tuple[str, ...]: ...


Outcome: TypeAlias = Answered[Relation] | Unanswered


def judge(asks: Asks, candidates: Iterable[Pair]) -> Judged:
    """Asks the controls, then the candidates, and judges by what the model is worth.

    The candidates are asked in their order, so that the most promising are served where a cap is reached. They aren't
    asked at all if the controls show that the model isn't believed in anything.
    """
    every = list(candidates)
    pairs = [one for one in every if reads_as_a_name(one.part_a) and reads_as_a_name(one.part_b)]
    known = keyed.shuffled(controls().related, "relations", "controls")
    tried = _both_ways(asks, known)
    said = [(one.relation, _agreed(*tried[at])) for at, one in enumerate(known)]
    measured = scores(_VERDICTS, [(truth, verdict) for truth, verdict in said if verdict])
    judgements: list[Judgement] = []
    counts: Counter[str] = Counter()
    if not _worth_asking(measured, tried):
        counts["not_believed"] = len(pairs)
        pairs = []
    for one, both in zip(pairs, _both_ways(asks, pairs), strict=True):
        first, turned = both
        if isinstance(first, Unanswered) or isinstance(turned, Unanswered):
            counts["unanswered"] += 1
            continue
        verdict = _agreed(first, turned)
        confidence = measured[kind(verdict)].confidence if verdict else UNSURE
        if confidence is None:
            counts["not_believed"] += 1
            continue
        counts[f"judged/{kind(verdict)}" if verdict else "unsure"] += 1
        method = "llm" if verdict else "llm_unsure"
        judgements.append(Judgement(one.part_a, one.part_b, verdict or "distinct", method, confidence, first.call_id))
    report = Report(
        candidates=len(every),
        unreadable=sum(not (reads_as_a_name(one.part_a) and reads_as_a_name(one.part_b)) for one in every),
        controls=measured,
        controls_unanswered=sum(isinstance(one, Unanswered) for both in tried for one in both),
        judged={verdict: counts[f"judged/{verdict}"] for verdict in _VERDICTS},
        unsure=counts["unsure"],
        not_believed=counts["not_believed"],
        unanswered=counts["unanswered"],
    )
    return Judged(tuple(judgements), report)


def judged(
    asks: Asks,
    tables: Mapping[str, pa.Table],
    overrides: Overrides | None = None,
    similar: blocking.Similar | None = None,
) -> tuple[pa.Table, Report]:
    """The table `part_relations` with a model's judgements weighed in, and the report.

    `tables` are those of the taxonomy, as the rules alone give them (`taxonomy.graph.tables`); `similar` brings in further
    candidates (`blocking.candidates`).
    """
    found = blocking.candidates(
        tables["part_graph"], tables["category_graph"], weighing.of_table(tables["part_relations"]), similar
    )
    said = judge(asks, found)
    refused: list[weighing.Refused] = []
    parts = tables["part_categories"]["part_category"].to_pylist()
    table = weighing.table(parts, overrides, said.judgements, refused)
    lines = [
        f"{one.judgement.part_a}, {one.judgement.part_b}: {one.judgement.relation} refused: {one.why}"
        for one in refused
        if one.judgement.method == "llm"
    ]
    return table, msgspec.structs.replace(said.report, refused=tuple(sorted(lines)))


def _check(_item: Item, _answer: Relation) -> str | None:
    """Nothing is wrong with any of the four words as such."""
    return None


#: What is asked of each pair.
BRIEF: Final = Brief("relations", _INSTRUCTIONS, Relation, _check, pack=20, tokens=32)


def _item(one: Pair, turned: bool) -> Item:
    sides = [(one.part_a, one.contexts_a), (one.part_b, one.contexts_b)]
    (a, of_a), (b, of_b) = reversed(sides) if turned else sides
    shown = {"a": a, "objects with a": _readable(of_a), "b": b, "objects with b": _readable(of_b)}
    return Item(f"{a} ? {b}", shown)


def _readable(names: Iterable[str]) -> list[str]:
    return [name for name in names if reads_as_a_name(name)]


def _both_ways(asks: Asks, pairs: Sequence[Pair]) -> list[tuple[Outcome, Outcome]]:
    """Of each pair what came of asking it, and of asking it turned round.

    The two items of a pair are so far apart that no pack holds both, and yet a stretch is asked both ways before the
    next is asked at all: where a cap is reached, no more than a stretch was asked in vain.
    """
    way: tuple[bool, bool] = (False, True)
    if len(pairs) < _STRETCH:
        asked = [asks.ask(BRIEF, [_item(one, turned) for one in pairs]) if pairs else {} for turned in way]
        outcomes = {**asked[0], **asked[1]}
    else:
        starts = range(0, len(pairs) - _STRETCH + 1, _STRETCH)
        ends = [*starts[1:], len(pairs)]
        outcomes = asks.ask(
            BRIEF,
            [
                _item(one, turned)
                for start, end in zip(starts, ends, strict=True)
                for turned in way
                for one in pairs[start:end]
            ],
        )
    missing = Unanswered("failed", "no outcome")
    return [(outcomes.get(_item(one, False).id, missing), outcomes.get(_item(one, True).id, missing)) for one in pairs]


def _agreed(first: Outcome, turned: Outcome) -> str | None:
    """What both answers say of the pair; None if they differ, or one is missing."""
    if isinstance(first, Unanswered) or isinstance(turned, Unanswered):
        return None
    said = first.value.relation
    return said if INVERSE[said] == turned.value.relation else None


def _worth_asking(measured: Mapping[str, Score], tried: Iterable[tuple[Outcome, Outcome]]) -> bool:
    """Whether the model is believed in anything; or nothing is sent in this run, and what it would take is counted."""
    held_back = any(isinstance(one, Unanswered) and one.why == "not_stored" for both in tried for one in both)
    return held_back or any(score.confidence is not None for score in measured.values())
