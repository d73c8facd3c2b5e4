"""Singular forms: traps of English, and the round trip with a library that makes plurals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.taxonomy.inflection import singular, singular_phrase
from partonomy_data.taxonomy.lexicon import lexicon, synonyms
from partonomy_data.taxonomy.words import normalise

SINGULAR_ALREADY = """
    bus gas lens brass dress cross glass compass hourglass canvas atlas chassis debris iris tennis octopus
    cactus virus walrus abacus series species scissors pliers binoculars trousers tongs tweezers shears
    goggles headquarters optics electronics corps news gps albatross patas colobus harness press mattress
    axis basis trellis minibus
"""

PLURALS = {
    "wings": "wing",
    "teeth": "tooth",
    "feet": "foot",
    "knives": "knife",
    "shelves": "shelf",
    "leaves": "leaf",
    "hooves": "hoof",
    "valves": "valve",
    "sleeves": "sleeve",
    "gloves": "glove",
    "boxes": "box",
    "axles": "axle",
    "buses": "bus",
    "lenses": "lens",
    "gases": "gas",
    "dresses": "dress",
    "hoses": "hose",
    "noses": "nose",
    "fuses": "fuse",
    "houses": "house",
    "cases": "case",
    "bases": "base",
    "viruses": "virus",
    "batteries": "battery",
    "ties": "tie",
    "cookies": "cookie",
    "keys": "key",
    "torpedoes": "torpedo",
    "shoes": "shoe",
    "canoes": "canoe",
    "hoes": "hoe",
    "switches": "switch",
    "brushes": "brush",
    "headaches": "headache",
    "pickaxes": "pickaxe",
    "mazes": "maze",
    "fungi": "fungus",
    "vertices": "vertex",
    "antennae": "antenna",
    "antennas": "antenna",
    "mice": "mouse",
    "fabrics": "fabric",
    "menus": "menu",
    "skis": "ski",
    "women": "woman",
    "grilles": "grille",
}

NOUNS = """
    antenna arm armrest axle back barrel base basket battery beak belt blade body bolt bottle box bracket
    brush bumper button cable cap carriage case chain church clip compass cookie cover cross cuff deck dial
    door drawer dress ear edge engine eye face fan fender fin finger flap foot fork frame gas gear glove
    grille grip hammer handle head headlight hinge hook horn hose house iris jaw joint key knife knob label
    latch leg lens lever lid light mast mirror motor mouth muzzle nail neck needle nose nozzle oar octopus
    paddle page patch pedal pipe pouch propeller rim ring rod roof rotor rudder saddle sail screw seat shaft
    sheath shelf shoe shoulder sleeve slide socket spoke spout spring stem strap strut switch tail tank tire
    tongue tooth torpedo tray trigger trunk tube turret valve vase vent watch wheel winch window wing wire
    wrench yoke zipper
"""


@pytest.mark.parametrize("word", SINGULAR_ALREADY.split())
def test_a_singular_that_ends_in_s_stays(word: str) -> None:
    assert singular(word) == word


@pytest.mark.parametrize(("plural", "expected"), PLURALS.items())
def test_plurals_lose_their_ending(plural: str, expected: str) -> None:
    assert singular(plural) == expected


@pytest.mark.parametrize("noun", NOUNS.split())
def test_what_a_library_makes_plural_becomes_the_noun_again(noun: str, english: Any) -> None:
    assert singular(english.plural_noun(noun)) == noun
    assert singular(noun) == noun


@given(st.text(alphabet="abcdefghiklmnoprstuvxyz'1é", min_size=1, max_size=9) | st.sampled_from(sorted(PLURALS)))
def test_the_singular_of_a_singular_is_itself(word: str) -> None:
    assert singular(singular(word)) == singular(word)


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("rotor blades", "rotor blade"),
        ("pairs of scissors", "pair of scissors"),
        ("rows of windows", "row of windows"),
        ("nuts and bolts", "nut and bolt"),
        ("photography and videography", "photography and videography"),
        ("monitors with screens", "monitor with screens"),
        ("brass knuckles", "brass knuckle"),
        ("glasses", "glasses"),
        ("reading glasses", "reading glasses"),
        ("wine glasses", "wine glass"),
        ("parallel bars", "parallel bars"),
        ("axes", "axes"),
        ("fire axes", "fire axe"),
        ("line 1", "line 1"),
        ("of", "of"),
        ("and", "and"),
    ],
)
def test_only_the_head_of_a_phrase_is_made_singular(phrase: str, expected: str) -> None:
    assert " ".join(singular_phrase(phrase.split())) == expected


def test_the_word_lists_are_consistent_with_one_another() -> None:
    words = lexicon()
    for plural, one in words.irregular.items():
        assert singular(plural) == one == singular(one)
    for table in (words.american, words.typos):
        assert not set(table) & set(table.values()), "a word is both replaced and a replacement"
    for word in (*words.plural_only, *words.singular_s):
        assert singular(word) == word
    for name in words.kept:
        assert " ".join(singular_phrase(name.split())) == name
    for group in words.glosses.values():
        assert all(normalise(gloss) == gloss for gloss in group)


def test_the_curated_relations_use_canonical_names() -> None:
    listed = synonyms()
    names = {name for group in listed.same for name in group.names}
    names |= {name for pair in (*listed.narrower, *listed.distinct) for name in (pair.part, pair.than)}
    assert {name: normalise(name) for name in names if normalise(name) != name} == {}
