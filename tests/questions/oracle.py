"""A slow, plain judge of the demo world's questions: is each choice true of the picture, whatever the generator thinks?

    python -m tests.questions.oracle ROOT

prints the shares of choices that are labeled as the judge would label them, and the first disagreements. The judge goes
by what the drawing code knows (`world_truth`); of the store it reads the questions, and names and ids to join the two.

A list of parts is true of an object if every part in it shows, and every part that shows clearly is in it. "Clearly" is
at least `min_part_pixels` pixels: with fewer, a part may be in the list or not. Parts are the world's: two names that cover the
same parts of the world are one. A verdict is None where the world can't tell: it has no such category, its source has no
word for the part there, or the word means another thing elsewhere (the foot of a mug, the foot of a dog).
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import partonomy_data
from tests.questions import world_truth
from tests.questions.world_truth import Shown, WorldTruth

Row = dict[str, Any]

#: Visible pixels from which a part must be in a complete list, as the settings have it by default.
MIN_PART_PIXELS = 16


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A choice that is labeled right and is not, or the other way round."""

    question: Row
    choice: str
    labeled: bool
    why: str
    truth: str
    left_out: bool
    """Whether the label is what the annotations say, so that what the source left out explains it."""

    def __str__(self) -> str:
        row = self.question
        return "\n".join(
            (
                " ".join(
                    row[name] for name in ("question_id", "split", "evidence", "question_type", "image_id", "object_id")
                ),
                f"  {row['question']}",
                f"  {'right' if self.labeled else 'wrong'} by the table: {self.choice}",
                f"  the judge: {self.why}{' (the source left it out)' if self.left_out else ''}",
                f"  truth: {self.truth}",
            )
        )


@dataclass(slots=True)
class Judgement:
    """What the judge found."""

    counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    """(what is counted, evidence, question type, outcome) → how many."""
    disagreements: list[Disagreement] = field(default_factory=list)
    too_narrow: list[tuple[Row, str]] = field(default_factory=list)
    """Questions with a phrase of their right choice that says more than what the contrast category has."""

    def total(self, what: str, *outcomes: str, evidence: str | None = None, question_type: str | None = None) -> int:
        """How many choices (`choice`, `object_choice`) or questions (`question`) had one of these outcomes."""
        return sum(
            n
            for (kind, known, of_type, outcome), n in self.counts.items()
            if kind == what and outcome in outcomes and evidence in (None, known) and question_type in (None, of_type)
        )

    def share(self, what: str, evidence: str) -> float:
        """Of those that could be judged, the share labeled as the judge would; 1 if there is none."""
        right = self.total(what, "agreed", evidence=evidence)
        return right / max(right + self.total(what, "disagreed", evidence=evidence), 1) if right else 1.0

    def of(self, evidence: str) -> list[Disagreement]:
        """The disagreements about questions with this evidence."""
        return [one for one in self.disagreements if one.question["evidence"] == evidence]

    def summary(self) -> str:
        """A table of outcomes, one line for each kind, evidence and type."""
        heads = ("agreed", "disagreed", "undecided", "left out")
        lines = [f"{'':52}" + "".join(f"{head:>11}" for head in heads)]
        for key in sorted({key[:3] for key in self.counts}):
            cells = [self.counts[(*key, head)] for head in heads]
            if any(cells):
                lines.append(f"{key[0]:16}{key[1]:14}{key[2]:22}" + "".join(f"{n:11}" for n in cells))
        others = sorted((key[0], n) for key, n in self.counts.items() if key[3] == "")
        lines += [f"{name}: {n}" for name, n in others]
        return "\n".join(lines)


def both(verdicts: Iterator[tuple[bool | None, str]]) -> tuple[bool | None, str]:
    """All true; the first that is false says why; None if nothing is false and something is None."""
    open_question = ""
    for verdict, why in verdicts:
        if verdict is False:
            return False, why
        if verdict is None and not open_question:
            open_question = why
    return (None, open_question) if open_question else (True, "every part shows, and none is missing")


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges lists of parts and names of objects by what was drawn."""

    truth: WorldTruth
    min_part_pixels: int = MIN_PART_PIXELS

    def visible(self, shown: Shown, part: str) -> bool | None:
        """Whether the object shows anything of the part, by whichever name."""
        if part in shown.pixels:
            return True
        if self.truth.is_own(shown.entry, part):
            return False
        concepts = self.truth.concepts(shown.entry, part)
        if not concepts:
            return None
        seen = frozenset().union(*shown.concepts.values())
        if 2 * len(concepts & seen) >= len(concepts):
            return True
        # The object may have the part where its source has no word for it: nobody wrote down whether it shows.
        named = frozenset().union(*shown.entry.parts.values()) if shown.entry.parts else frozenset()
        return None if (concepts & self.truth.world_parts[shown.entry.category]) - named else False

    def clear(self, shown: Shown) -> list[str]:
        """The parts that a complete list must have, by the source's own names."""
        return sorted(part for part, pixels in shown.pixels.items() if pixels >= self.min_part_pixels)

    def shared(self, shown: Shown, part: str, contrast: str) -> bool | None:
        """Whether things called `contrast` have the part."""
        by_concept = self.truth.has(contrast, self.truth.concepts(shown.entry, part))
        by_word = any(world_truth.same_word(part, word) for word in self.truth.words(contrast))
        if by_concept is False and by_word:
            return None  # the same word for another thing
        return True if by_concept is None and by_word else by_concept

    def asked(self, shown: Shown, part: str, question_type: str, contrasts: Sequence[str]) -> bool | None:
        """Whether the question asks for the part, if it shows."""
        shared = [self.shared(shown, part, contrast) for contrast in contrasts]
        if question_type == "intersection":
            return shared[0]
        if question_type == "difference":
            return None if shared[0] is None else not shared[0]
        if question_type == "contrast":
            wanted = (shared[0], None if shared[1] is None else not shared[1])
            return False if False in wanted else None if None in wanted else True
        return True

    def parts(
        self, shown: Shown, listed: Sequence[str], question_type: str, contrasts: Sequence[str]
    ) -> tuple[bool | None, str]:
        """Whether the list is the answer, and why."""

        def verdicts() -> Iterator[tuple[bool | None, str]]:
            if not listed:
                yield False, "nothing is listed"
            for part in listed:
                yield self.visible(shown, part), f"{part!r} is listed"
                yield self.asked(shown, part, question_type, contrasts), f"{part!r} is not asked for"
            covered = [self.truth.concepts(shown.entry, part) for part in listed if part not in shown.pixels]
            for part in self.clear(shown):
                if part in listed or any(shown.concepts[part] & concepts for concepts in covered):
                    continue
                asked = self.asked(shown, part, question_type, contrasts)
                missing = f"{part!r} ({shown.pixels[part]} pixels) is missing"
                yield (None if asked is None else not asked), missing

        return both(verdicts())

    def claimed(self, shown: Shown, phrase: str, part: str, contrast: str) -> bool:
        """Whether a phrase may be said to be common to the object and things called `contrast`.

        A horse and a cabinet have legs in common, but no lower legs.
        """
        words = self.truth.words(contrast)
        if phrase != part or any(word == part or word.endswith(f" {part}") for word in words):
            return True
        worlds = self.truth.world_categories(contrast)
        found = frozenset().union(*(self.truth.world_parts[world] for world in worlds))
        concepts = self.truth.concepts(shown.entry, part)
        broader = {world_truth.KINDS[one] for one in concepts if one in world_truth.KINDS}
        narrower = {one for one in found if world_truth.KINDS.get(one) in concepts}
        return bool(found & concepts or narrower or not found & broader)

    def named(self, shown: Shown, object_category: str, ancestors: frozenset[str]) -> tuple[bool | None, str]:
        """Whether the object may be called so; `ancestors` are the broader names of its category."""
        if object_category in ancestors:
            return True, f"{object_category!r} is a broader name"
        entries = self.truth.entries.get(object_category, ())
        if shown.entry in entries:
            return True, f"it is {shown.entry.name!r}"
        if not entries:
            return False, f"the world has no {object_category!r}"
        if all(entry.category != shown.entry.category for entry in entries):
            return False, f"it is a {shown.entry.category!r}"
        if all(entry.source == shown.entry.source for entry in entries if entry.category == shown.entry.category):
            # Two labels of one source that the world draws alike: the source tells them apart, the picture doesn't.
            return None, f"the world draws {object_category!r} and {shown.entry.name!r} alike"
        return True, f"it is a {shown.entry.category!r}"


def ancestors_of(store: partonomy_data.Store) -> dict[str, frozenset[str]]:
    """Object category → all its broader names in `category_graph`."""
    parents: dict[str, set[str]] = {}
    for row in store.table("category_graph", ["child", "parent"]).to_pylist():
        parents.setdefault(row["child"], set()).add(row["parent"])
    found = {}
    for name in parents:
        seen: set[str] = set()
        waiting = [name]
        while waiting:
            more = parents.get(waiting.pop(), set()) - seen
            seen |= more
            waiting += sorted(more)
        found[name] = frozenset(seen)
    return found


def outcome(verdict: bool | None, labeled: bool) -> str:
    """How a label compares with a verdict."""
    return "undecided" if verdict is None else "agreed" if verdict == labeled else "disagreed"


def judge_question(judge: Judge, row: Row, ancestors: frozenset[str], found: Judgement) -> None:
    """Judges every choice of a question, and adds what comes of it to `found`."""
    shown = judge.truth.shown[row["object_id"]]
    told = ", ".join(f"{part} {pixels}" for part, pixels in sorted(shown.pixels.items()))
    of = (row["evidence"], row["question_type"])
    outcomes = set()
    for choice in row["choices"]:
        verdict, why = judge.parts(shown, choice["parts"], row["question_type"], row["contrast_categories"])
        result = outcome(verdict, choice["is_correct"])
        outcomes.add(result)
        found.counts["choice", *of, result] += 1
        if choice["is_correct"]:
            found.counts["right choice", *of, result] += 1
            if row["question_type"] in ("intersection", "contrast"):
                said = [(choice["text"][span["start"] : span["end"]], span["part"]) for span in choice["spans"]]
                wrong = [
                    phrase
                    for phrase, part in said
                    if not judge.claimed(shown, phrase, part, row["contrast_categories"][0])
                ]
                found.counts["right choice that names too narrow a part as common", "", "", ""] += bool(wrong)
                found.too_narrow += [(row, phrase) for phrase in wrong]
        if result == "disagreed":
            truth = f"{shown.entry.source} {shown.entry.name}: {told}"
            told_by_source = judge.parts(
                shown.as_annotated(), choice["parts"], row["question_type"], row["contrast_categories"]
            )[0]
            left_out = outcome(told_by_source, choice["is_correct"]) != "disagreed"
            found.disagreements.append(Disagreement(row, choice["text"], choice["is_correct"], why, truth, left_out))
            if left_out:
                found.counts["choice", *of, "left out"] += 1
    for choice in row["object_choices"] or ():
        verdict, why = judge.named(shown, choice["object_category"], ancestors)
        result = outcome(verdict, choice["is_correct"])
        outcomes.add(result)
        found.counts["object choice", *of, result] += 1
        if result == "disagreed":
            truth = f"{shown.entry.source} {shown.entry.name}: a {shown.entry.category} of the world"
            found.disagreements.append(Disagreement(row, choice["text"], choice["is_correct"], why, truth, False))
    whole = next((one for one in ("disagreed", "undecided") if one in outcomes), "agreed")
    found.counts["question", *of, whole] += 1
    if row["referent"] == "unique":
        count_strangers(row, shown, found)


def count_strangers(row: Row, shown: Shown, found: Judgement) -> None:
    """Counts the questions that could mean an object that the source didn't annotate."""
    found.counts["pointing at the only object", "", "", ""] += 1
    others = [thing for place, thing in enumerate(shown.photograph["objects"]) if place not in shown.places]
    hidden = [thing for thing in others if not thing["annotated"]]
    if row["names_object"]:
        hidden = [thing for thing in hidden if thing["category"] == shown.entry.category]
    if hidden:
        found.counts["pointing at the only object, with an unannotated one that it could mean", "", "", ""] += 1


def judge_store(root: Path, min_part_pixels: int = MIN_PART_PIXELS) -> Judgement:
    """Judges all questions of a demo world's store; its truth is in `root/demo/truth`."""
    found = Judgement()
    with partonomy_data.open(root) as store:
        judge = Judge(world_truth.read(store, root / "demo" / "truth"), min_part_pixels)
        ancestors = ancestors_of(store)
        category = dict(
            zip(*(store.table("objects")[name].to_pylist() for name in ("object_id", "object_category")), strict=True)
        )
        for batch in store.table("questions").to_batches():
            for row in batch.to_pylist():
                judge_question(judge, row, ancestors.get(category[row["object_id"]], frozenset()), found)
    return found


def main(root: Path) -> None:
    """Prints the judgement of a store, and what is wrong with its structure."""
    from tests.questions import structure

    found = judge_store(root)
    print(found.summary())
    for one in found.disagreements[:20]:
        print(one)
    faults = structure.faults_of(root)
    print(f"{len(faults)} faults of structure")
    print("\n".join(map(str, faults[:20])))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
