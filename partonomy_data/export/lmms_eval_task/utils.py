"""Explanatory Part Segmentation in lmms-eval: its choices of parts and of objects, asked one at a time.

A document is one turn of one question: the picture, the question, and its choices in the order in which they are shown.
There are two ways to answer: with a letter, in words (`letters_…`), or by the loss of each choice (`likelihood_…`).

    missing or malformed   wrong, and counted (`answered` is the share of answers that could be used)
    a tie for the best     wrong, whatever it is between
    two turns              the second follows the true first answer; nothing else is told of another question
    chance                 beside each score that has one: of balanced questions, what a chooser that doesn't look gets

`python utils.py SAMPLES.jsonl` makes of the samples that lmms-eval logs a file of predictions, which `partonomy evaluate` takes.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from PIL import Image

_FOLDER = Path(__file__).resolve().parent
#: What may stand before an answer: "The correct answer is: ".
_LEAD = re.compile(
    r"\W*(?:(?:the )?(?:(?:correct|right|best|final) )?(?:answer|choice|option|letter)(?: is)?\b)?\W*", re.I
)
#: A letter alone, or one that is set off from what follows. "A hull" begins with an article, and is no letter.
_LETTER = re.compile(r"\W*([A-Za-z])(?:\W*|\s?[).:\]*]+(.*))", re.S)
#: A letter that is set off within what follows.
_ANOTHER = re.compile(r"(?<![\w'])([A-Z])(?=[).:\]*,;]|\W*$)")


def visual(doc: dict[str, Any]) -> list[Image.Image]:
    """What is shown: one picture, RGB."""
    with Image.open(_FOLDER / doc["picture"]) as image:
        return [image.convert("RGB")]


def letters_text(doc: dict[str, Any], lmms_eval_specific_kwargs: dict[str, Any] | None = None) -> str:
    """The question with its lettered choices."""
    given = lmms_eval_specific_kwargs or {}
    choices = "\n".join(f"{letter}. {text}" for letter, text in zip(ascii_uppercase, doc["choices"], strict=False))
    return f"{given.get('pre_prompt', '')}{likelihood_text(doc)}\n{choices}\n{given.get('post_prompt', '')}".rstrip()


def letters_target(doc: dict[str, Any]) -> str:
    """The letter of the right choice."""
    return ascii_uppercase[doc["correct"]]


def likelihood_text(doc: dict[str, Any]) -> str:
    """The question alone, after the first turn if it is the second."""
    earlier = f"{doc['earlier_question']}\n{doc['earlier_answer']}\n\n" if doc["earlier_question"] else ""
    return f"{earlier}{doc['question']}"


def letters_results(doc: dict[str, Any], results: list[Any]) -> dict[str, dict[str, Any]]:
    """What an answer in words counts for, by metric."""
    place = named(results[0] if results else None, doc["choices"])
    return _counted(doc, place is not None, place)


def likelihood_results(doc: dict[str, Any], results: list[Any]) -> dict[str, dict[str, Any]]:
    """What the losses of the choices, one pair (loss, greedy) each, count for, by metric."""
    losses = [_loss(one) for one in results]
    usable = len(losses) == len(doc["choices"]) and not any(math.isnan(one) for one in losses)
    least = [place for place, loss in enumerate(losses) if loss == min(losses)] if usable else []
    return _counted(doc, usable, least[0] if len(least) == 1 else None)


def named(said: Any, choices: list[str]) -> int | None:
    """The place of the one choice that an answer names, by its letter or by its text; None if it names none, or several.

    What is before the end of a reasoning block is left out. Of several lines the first and the last are looked at, and the
    whole: they must not name different choices.
    """
    if not isinstance(said, str):
        return None
    said = said.rpartition("</think>")[2].replace("\\boxed", "").strip()
    lines = said.splitlines() or [""]
    places = {_named(text, choices) for text in {said, lines[0], lines[-1]}} - {None}
    return places.pop() if len(places) == 1 else None


def _named(said: str, choices: list[str]) -> int | None:
    texts = [_plain(text) for text in choices]
    lead = _LEAD.match(said)
    for text in (said, said[lead.end() :] if lead else said):
        if _plain(text) and texts.count(_plain(text)) == 1:
            return texts.index(_plain(text))
        found = _LETTER.fullmatch(text)
        place = ascii_uppercase.index(found[1].upper()) if found else len(choices)
        if found and place < len(choices):
            rest = found[2] or ""
            others = set(_ANOTHER.findall(rest)) & set(ascii_uppercase[: len(choices)]) - {ascii_uppercase[place]}
            contradicted = _plain(rest) in texts and _plain(rest) != texts[place]
            return None if others or contradicted else place
    return None


def _plain(text: str) -> str:
    """Its words alone, without case."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def _loss(given: Any) -> float:
    """The loss of one choice; NaN where there is none."""
    # lmms-eval 0.7 hands a pair on as its text, "(0.5, True)".
    first = given.strip("( ").partition(",")[0] if isinstance(given, str) else given
    try:
        return float(first[0] if isinstance(first, tuple | list) else first)
    except (TypeError, ValueError, IndexError):
        return math.nan


def _counted(doc: dict[str, Any], usable: bool, place: int | None) -> dict[str, dict[str, Any]]:
    """By metric, what a document adds to it. Only where there is a `score` does lmms-eval make a standard error of it.

    `chosen` is the place of the choice that was taken in the question as it is stored, which is not the place where it was shown.
    """
    hit = float(place is not None and place == doc["correct"])
    known = {key: doc[key] for key in ("question_id", "turn", "block_id", "unit")} | {"n_choices": len(doc["choices"])}
    scored, bare = {**known, "score": hit}, {**known, "hit": hit, "chance": doc["chance"]}
    chosen = None if place is None else doc["order"][place]
    counted = {"answered": {**known, "score": float(usable), "chosen": chosen}}
    if doc["question_type"] in ("part_to_whole", "whole_to_part"):
        counted["both_accuracy"] = bare
    if doc["turn"] == "object":
        counted["object_accuracy"] = scored
        if doc["balanced"]:
            counted |= {"object_balanced_accuracy": scored, "object_balanced_chance": bare}
        return counted
    if doc["block_id"]:
        counted["block_consistent"] = bare
    for name in ("", f"{doc['evidence']}_", f"{doc['question_type']}_", *(["balanced_"] if doc["balanced"] else [])):
        counted |= {f"{name}accuracy": scored, f"{name}chance": bare}
    return counted | {"chance_corrected": bare}


def mean_score(items: list[dict[str, Any]]) -> float:
    """The share of right, or of usable, answers."""
    return _mean([item["score"] for item in items])


def mean_chance(items: list[dict[str, Any]]) -> float:
    """What is expected of a chooser that doesn't look."""
    return _mean([item["chance"] for item in items])


def chance_corrected(items: list[dict[str, Any]]) -> float:
    """(accuracy - chance) / (1 - chance), both pooled: 0 for one who guesses, 1 for one who is always right."""
    chance = mean_chance(items)
    return (_mean([item["hit"] for item in items]) - chance) / (1 - chance)


def block_consistent(items: list[dict[str, Any]]) -> float:
    """The share of blocks whose questions are all right, of those that are there as a whole; a blind chooser gets none."""
    blocks: dict[str, list[float]] = defaultdict(list)
    size = {item["block_id"]: item["n_choices"] for item in items}
    for item in items:
        blocks[item["block_id"]].append(item["hit"])
    return _mean([min(hits) for block, hits in blocks.items() if len(hits) == size[block]])


def both_accuracy(items: list[dict[str, Any]]) -> float:
    """The share of questions of two turns whose turns are both right, of those with both turns here."""
    turns: dict[str, list[float]] = defaultdict(list)
    for item in items:
        turns[item["question_id"]].append(item["hit"])
    return _mean([min(hits) for hits in turns.values() if len(hits) == 2])


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan


def predictions(samples: Iterable[str]) -> list[dict[str, Any]]:
    """Lines of samples, one for each turn, as predictions, one for each question."""
    found: dict[str, dict[str, Any]] = {}
    for line in samples:
        item = json.loads(line)["answered"]
        one = found.setdefault(item["question_id"], {"question_id": item["question_id"], "conditioning": "oracle"})
        if item["chosen"] is not None:
            one["chosen" if item["turn"] == "parts" else "object_chosen"] = item["chosen"]
    return list(found.values())


if __name__ == "__main__":
    with Path(sys.argv[1]).open(encoding="utf-8") as file:
        for one in predictions(file):
            print(json.dumps(one))
