"""How the published research scripts make questions, rebuilt for comparison: what they compute, at each image, in their order.

For each image and question type: sets of part names as strings; contrast categories tried in random order; four wrong
answers made by adding, deleting or replacing one or two parts, each tried up to twenty times; the part to add drawn from
a mixture of the category's parts and of what logistic regressions, one for each part name, expect given the parts at
hand, all of them asked at every draw. Parts are compared as strings here, the cheapest of the scripts' ways (by default
they ask a language model). Also their JSON record of a question, without its masks.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

TYPES: Final = ("identification", "intersection", "difference", "contrast", "part_to_whole", "whole_to_part")
WRONG_ANSWERS: Final = 4
TRIES: Final = 20
#: Share of the regressions in the mixture, and the temperature of their log odds.
SHARE: Final = 0.1
TEMPERATURE: Final = 1.5
#: Their names of our types, by whether the question names the object.
NAMES: Final = {
    "identification": "identification",
    "intersection": "positive",
    "difference": "negative",
    "contrast": "difference",
}


@dataclass(frozen=True, slots=True)
class Instance:
    """An object with its annotated parts."""

    category: str
    parts: frozenset[str]


class Regressions:
    """One logistic regression for each part name: whether an object has it, given its other parts."""

    def __init__(self, instances: Sequence[Instance]) -> None:
        from sklearn.linear_model import LogisticRegression

        self.parts = sorted(set().union(*(one.parts for one in instances)))
        self._place = {part: place for place, part in enumerate(self.parts)}
        shown = np.stack([self._row(one.parts) for one in instances])
        self._models: list[Any] = []
        for place in range(len(self.parts)):
            wanted = shown[:, place]
            if wanted.all() or not wanted.any():
                self._models.append(None)
                continue
            others = shown.copy()
            others[:, place] = 0
            self._models.append(LogisticRegression(solver="liblinear").fit(others, wanted))

    def _row(self, parts: frozenset[str] | set[str]) -> Any:
        row = np.zeros(len(self.parts))
        row[[self._place[part] for part in parts if part in self._place]] = 1
        return row

    def sample(
        self, parts: set[str], related: set[str], excluded: set[str], generator: np.random.Generator
    ) -> str | None:
        """A part to add to `parts`."""
        row = self._row(parts).reshape(1, -1)
        odds = np.array([0.0 if model is None else model.decision_function(row)[0] for model in self._models])
        allowed = np.array([part not in excluded and part not in parts for part in self.parts])
        if not allowed.any():
            return None
        weights = np.where(allowed, np.exp((odds - odds[allowed].max()) / TEMPERATURE), 0)
        weights /= weights.sum()
        near = np.array([part in related for part in self.parts]) & allowed
        if near.any():
            weights = (1 - SHARE) * near / near.sum() + SHARE * weights
        return self.parts[generator.choice(len(self.parts), p=weights / weights.sum())]


def part_graph(instances: Sequence[Instance]) -> dict[str, set[str]]:
    """Category → the parts that one of its instances has."""
    graph: dict[str, set[str]] = {}
    for one in instances:
        graph.setdefault(one.category, set()).update(one.parts)
    return graph


def questions_of(
    one: Instance, graph: Mapping[str, set[str]], regressions: Regressions, generator: np.random.Generator
) -> int:
    """Makes all questions of one image, and returns how many they are; those without four wrong answers are dropped."""
    made = 0
    for question_type in TYPES:
        truth, related = _truth(one, question_type, graph, generator)
        if truth and _wrong_answers(truth, related, regressions, generator) is not None:
            made += 1
    return made


def _truth(
    one: Instance, question_type: str, graph: Mapping[str, set[str]], generator: np.random.Generator
) -> tuple[set[str], set[str]]:
    own = graph[one.category]
    if question_type == "identification":
        return set(one.parts), own
    if question_type in ("part_to_whole", "whole_to_part"):
        return set(one.parts), set(one.parts)
    others = list(graph)
    generator.shuffle(others)
    if question_type == "contrast":
        pairs = itertools.islice(itertools.permutations(others, 2), 4 * len(others))
        for first, second in pairs:
            if found := (set(one.parts) & graph[first]) - graph[second]:
                return found, own | graph[first] | graph[second]
        return set(), own
    for other in others:
        common = set(one.parts) & graph[other]
        found = common if question_type == "intersection" else set(one.parts) - graph[other]
        if found and common:
            return found, own | graph[other]
    return set(), own


def _wrong_answers(
    truth: set[str], related: set[str], regressions: Regressions, generator: np.random.Generator
) -> list[list[str]] | None:
    taken = {tuple(sorted(truth))}
    for _ in range(WRONG_ANSWERS):
        for _ in range(TRIES):
            found = _mutated(truth, related, regressions, generator)
            if found and tuple(sorted(found)) not in taken:
                taken.add(tuple(sorted(found)))
                break
        else:
            return None
    return [list(answer) for answer in sorted(taken)]


def _mutated(truth: set[str], related: set[str], regressions: Regressions, generator: np.random.Generator) -> set[str]:
    answer, touched = set(truth), set(truth)
    removable = sorted(truth)
    for _ in range(int(generator.integers(1, 3))):
        operation = ("add", "delete", "replace")[int(generator.integers(3))]
        if operation != "delete":
            added = regressions.sample(answer, related, touched, generator)
            if added is not None:
                answer.add(added)
                touched.add(added)
        if operation != "add" and removable:
            answer.discard(removable.pop(int(generator.integers(len(removable)))))
    return answer


def record(question: Mapping[str, Any]) -> dict[str, Any]:
    """The scripts' JSON record of one of our questions, without `segmentations`."""
    choices, category = question["choices"], question["object_category"]
    own = NAMES.get(question["question_type"])
    kind = question["question_type"] if own is None else own + ("_with_label" if question["names_object"] else "")
    objects = question["object_choices"]
    return {
        "image_path": f"/shared/datasets/{question['source']}/images/{question['image_id'].partition('/')[2]}.jpg",
        "image_label": category,
        "question": question["question"],
        "question_type": kind,
        "answer_choices": [choice["text"] for choice in choices],
        "answer_types": ["correct" if choice["is_correct"] else "incorrect" for choice in choices],
        "answer_parts": [choice["parts"] for choice in choices],
        "object_question": question["object_question"],
        "object_answer_choices": objects and [choice["text"] for choice in objects],
        "object_answer_types": objects and ["correct" if choice["is_correct"] else "incorrect" for choice in objects],
        "object_answer_classes": objects and [choice["object_category"] for choice in objects],
    }
