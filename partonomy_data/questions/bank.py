"""The bank of templates: those of `templates.yaml`, and such as were proposed and found admissible.

A template is cut at its slots once. Which template words a question follows from its key and from how many there are,
so a bank is a value: questions of one version are worded from one bank.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

import msgspec

from partonomy_data.questions import keyed
from partonomy_data.questions.settings import TWO_TURNS

#: The slots of each type's question. A type that names other categories names them in this order.
QUESTION_SLOTS: Final[Mapping[str, tuple[str, ...]]] = {
    "identification": ("object",),
    "intersection": ("object", "alike"),
    "difference": ("object", "unlike"),
    "contrast": ("object", "alike", "unlike"),
    "part_to_whole": ("object",),
    "whole_to_part": ("object",),
}
#: The type that the templates for the object go by.
OBJECT: Final = "object"
#: All that a template may be for.
TEMPLATE_TYPES: Final = (*QUESTION_SLOTS, OBJECT)
#: A slot as templates have it.
SLOT: Final = re.compile(r"\{(\w+)\}")
_PROPOSED_ID: Final = re.compile(r"[\w.\-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listing:
    """How a slot lists parts: what comes before the first phrase, and before each of the others."""

    opening: str
    each: str


#: The slots of answers that list parts.
LISTINGS: Final[Mapping[str, Listing]] = {
    "the_parts": Listing("the ", "the "),
    "The_parts": Listing("The ", "the "),
    "its_parts": Listing("its ", ""),
    "Its_parts": Listing("Its ", ""),
}


class Wording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question with its answer, as the file has them."""

    question: str
    answer: str


class Proposed(msgspec.Struct, frozen=True):
    """A question with its answer that was proposed, and found admissible (`admission`)."""

    id: str
    """`<call_id>.<n>`: unique among the proposals for one type, of letters, digits, `_`, `-` and points."""
    question_type: str
    """`object` for the question for the object."""
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Template:
    """A question with its answer, cut at the slots: text, slot, text, …, text."""

    question: tuple[str, ...]
    answer: tuple[str, ...]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file of templates."""

    parts: dict[str, tuple[Wording, ...]]
    objects: tuple[Wording, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Templates by id. Make it with `standard` or `extended`."""

    _templates: Mapping[str, Template]
    _ids: Mapping[tuple[str, bool], tuple[str, ...]]
    """(type, whether the object is named) → the ids of its templates."""

    @staticmethod
    def standard() -> Bank:
        """The templates of `templates.yaml`, read on first use.

        Raises msgspec.ValidationError or ValueError if the file was edited into another shape.
        """
        return _extended(())

    @staticmethod
    def extended(proposed: Sequence[Proposed]) -> Bank:
        """The standard templates, and after those of their type the proposed ones, in the order of their ids.

        Raises ValueError for an unknown type, slots that the type doesn't have, and ids that can't be or come twice.
        """
        return _extended(tuple(sorted(proposed, key=lambda one: (one.question_type, one.id))))

    def ids(self) -> tuple[str, ...]:
        """The ids of all templates, those for the object last: `<type>/<named or unnamed>/<number or proposal's id>`."""
        return tuple(self._templates)

    def chosen(self, question_type: str, names_object: bool, key: str) -> str:
        """The id of the template that a key takes. Raises ValueError for a two-turn type that names its object."""
        ids = self._ids.get((question_type, names_object))
        if ids is None:
            raise ValueError(f"{question_type} never names its object")
        return ids[keyed.number("wording", question_type, key) % len(ids)]

    def template(self, wording_id: str, *, parts: bool) -> Template:
        """A template for parts, or for objects. Raises ValueError for an unknown id."""
        template = self._templates.get(wording_id)
        if template is None or wording_id.startswith(f"{OBJECT}/") is parts:
            raise ValueError(f"no template for {'parts' if parts else 'objects'} has the id {wording_id!r}")
        return template


def standard_texts() -> Mapping[str, tuple[Wording, ...]]:
    """Type (`object` for the object's) → the questions and answers of `templates.yaml`."""
    bank = _file()
    return {**{question_type: bank.parts[question_type] for question_type in QUESTION_SLOTS}, OBJECT: bank.objects}


def question_slots(question_type: str) -> tuple[str, ...]:
    """The slots that a question of the type has, each once."""
    return QUESTION_SLOTS.get(question_type, ("object",))


def answer_slots(question_type: str) -> tuple[str, ...]:
    """The slots of which an answer to a question of the type has one."""
    if question_type == OBJECT:
        return ("an_object",)
    # Scissors are "they": only "the object" is sure to be an "it".
    return tuple(LISTINGS) if question_type in TWO_TURNS else ("the_parts", "The_parts")


@cache
def _file() -> _File:
    text = files("partonomy_data.questions").joinpath("templates.yaml").read_bytes()
    bank = msgspec.yaml.decode(text, type=_File)
    if bank.parts.keys() != QUESTION_SLOTS.keys():
        raise ValueError(f"templates.yaml must have templates for {', '.join(QUESTION_SLOTS)}")
    return bank


@lru_cache(maxsize=8)
def _extended(proposed: tuple[Proposed, ...]) -> Bank:
    for one in proposed:
        if one.question_type not in TEMPLATE_TYPES or not _PROPOSED_ID.fullmatch(one.id) or one.id.isdecimal():
            raise ValueError(f"no template can be called {one.question_type}/{one.id}")
    templates: dict[str, Template] = {}
    ids: dict[tuple[str, bool], tuple[str, ...]] = {}
    for question_type, texts in standard_texts().items():
        own = [(str(i), cut(question_type, one.question, one.answer)) for i, one in enumerate(texts)]
        own += [
            (one.id, cut(question_type, one.question, one.answer))
            for one in proposed
            if one.question_type == question_type
        ]
        if len(dict(own)) < len(own):
            raise ValueError(f"two templates for {question_type} have one id")
        named = (False,) if question_type in (*TWO_TURNS, OBJECT) else (True, False)
        for names_object in named:
            turn = "named" if names_object else "unnamed"
            ids[question_type, names_object] = tuple(f"{question_type}/{turn}/{name}" for name, _ in own)
            templates |= {f"{question_type}/{turn}/{name}": template for name, template in own}
    return Bank(templates, ids)


def cut(question_type: str, question: str, answer: str) -> Template:
    """The template cut at its slots: each of the question's once, in any order, and one of the answer's.

    Raises ValueError for slots that the type doesn't have.
    """
    template = Template(*(tuple(SLOT.split(text)) for text in (question, answer)))
    wanted, offered = question_slots(question_type), answer_slots(question_type)
    if sorted(template.question[1::2]) != sorted(wanted):
        raise ValueError(f"{question_type}: {question!r} must have the slots {', '.join(wanted)}")
    if len(template.answer) != 3 or template.answer[1] not in offered:
        raise ValueError(f"{question_type}: {answer!r} must have one slot of {', '.join(offered)}")
    return template
