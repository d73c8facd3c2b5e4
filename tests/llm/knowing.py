"""A model that knows the controls, and says something plain and consistent of everything else."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from partonomy_data.llm.purposes.controls import controls
from partonomy_data.taxonomy.overrides import INVERSE


@cache
def _known() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for one in controls().related:
        found[one.part_a, one.part_b] = one.relation
        found[one.part_b, one.part_a] = INVERSE[one.relation]
    return found


def relation(a: str, b: str) -> str:
    """What the controls say; else narrower where one name is the end of the other, else distinct."""
    if (a, b) in _known():
        return _known()[a, b]
    if a.endswith(f" {b}"):
        return "narrower"
    return "broader" if b.endswith(f" {a}") else "distinct"


def template(item: dict[str, Any]) -> dict[str, str]:
    """The first example, in other words."""
    question = item["examples"][0]["question"]
    return {
        "question": f"Looking closely, {question[0].lower()}{question[1:]}",
        "answer": item["examples"][0]["answer"],
    }


_COMPARED = {
    "intersection": " that {1} would have too",
    "difference": " that {1} would lack",
    "contrast": " that {1} would have too and {2} would lack",
}


def paraphrase(item: dict[str, Any]) -> dict[str, str]:
    """The same in other words, all of them plain."""
    kept = item["keep in the question"]
    compared = _COMPARED.get(item["type"], "").format(*kept)
    return {
        "question": f"Please list all the clearly visible parts of {kept[0]}{compared}, and no others.",
        "answer": f"Clearly in view: {item['keep in the answer'][0]}.",
    }


def items(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The items that a request shows."""
    return [json.loads(line) for line in body["messages"][1]["content"].splitlines()]


def answer(body: dict[str, Any]) -> dict[str, Any]:
    """An answer to every item of a request."""
    absurd = set(controls().absurd)
    answers = []
    for item in items(body):
        if "categories" in item:
            answers.append({"n": item["n"], "name": f"{item['name']} {item['categories'][0].split()[-1]}"})
        elif "keep in the question" in item:
            answers.append({"n": item["n"], **paraphrase(item)})
        elif "asks for" in item:
            answers.append({"n": item["n"], **template(item)})
        elif "choices" in item:
            parts = item["choices"][str(item["correct"])]
            true = all(part in parts for part in item["visible parts"])
            why = "" if true else "a visible part is missing"
            answers.append({"n": item["n"], "true": true, "unambiguous": True, "natural": True, "reason": why})
        elif "part" in item:
            verdict = "implausible" if (item["object"], item["part"]) in absurd else "plausible"
            answers.append({"n": item["n"], "verdict": verdict})
        else:
            answers.append({"n": item["n"], "relation": relation(item["a"], item["b"])})
    return {"answers": answers}
