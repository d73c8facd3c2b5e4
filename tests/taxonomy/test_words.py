"""One name → its canonical form: what changes, what stays, and what hostile input comes to."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partonomy_data.taxonomy.words import (
    LONGEST,
    BadName,
    is_plain,
    normalise,
    qualifier,
    trace,
    without_qualifier,
)

GOLDEN = {
    "Trash_Can": "trash can",
    "  wing\n\ttip ": "wing tip",
    "Aeroplanes": "airplane",
    "licence plates": "license plate",
    "number plate": "number plate",
    "grey": "gray",
    "greyhound": "greyhound",
    "coloured tyres": "colored tire",
    "vapour_cover": "vapor cover",
    "colied_tube": "coiled tube",
    "steeringwheel": "steering wheel",
    "runningboard": "running board",
    "turnsignals": "turn signal",
    "icebraker bow": "icebreaker bow",
    "pencil sharpner": "pencil sharpener",
    "ink resevoirs": "ink reservoir",
    "ear_pads": "ear pad",
    "T-Shirts": "t-shirt",
    "t_shirt": "t-shirt",
    "C clamp": "c-clamp",
    "a frame": "a frame",
    "3-hole punch": "3 hole punch",
    "narrow‑body aircraft": "narrow body aircraft",
    "on/off switch": "on off switch",
    "oil & gas support": "oil and gas support",
    "Jack-o'-lantern": "jack o' lantern",
    "geologist’s hammer": "geologist's hammer",
    '"inner" side': "inner side",
    "drum_(musical_instruments)": "drum (musical instrument)",
    "shell (crew boat)": "shell (crew boat)",
    "(automobile)": "automobile",
    "car (": "car",
    "2.5 inch bolt": "2.5 inch bolt",
    "No. 2 pencil": "no 2 pencil",
    "ｆｕｌｌｗｉｄｔｈ": "fullwidth",
    "café tables": "café table",
    "mouth.": "mouth",
}

HOSTILE = {
    "{{part}}": "part",
    "{0.__class__}": "0 class",
    "%s%(name)s": "s-s (name)",
    "<script>wing</script>": "script wing script",
    "wing; DROP TABLE parts": "wing drop table part",
    "wing\x00tip": "wing tip",
    "wing\x1b[31mtip": "wing 31mtip",
    "wing\u202etip": "wingtip",
    "a\u200bb": "ab",
    "wing,tail": "wing tail",
    "..\\..\\wing": "wing",
    "../../wing": "wing",
    "جناح": "جناح",
    "крылья": "крылья",
    "\ud800wing": "wing",
    "wing 🛩": "wing",
}


@pytest.mark.parametrize(("name", "expected"), {**GOLDEN, **HOSTILE}.items())
def test_names_become_canonical(name: str, expected: str) -> None:
    assert normalise(name) == expected


@pytest.mark.parametrize("name", ["", "   ", "\n", "()", "{}", "\u202e", "'", "🛩", "-", "(())", "\x00"])
def test_a_name_without_letters_is_refused_by_name(name: str) -> None:
    with pytest.raises(BadName) as caught:
        normalise(name)
    assert caught.value.rule == "name_empty"


def test_a_name_of_300_characters_is_refused_by_name() -> None:
    with pytest.raises(BadName) as caught:
        normalise("wing " * 60)
    assert caught.value.rule == "name_too_long"
    assert len(str(caught.value)) < 120
    assert normalise("w" * LONGEST) == "w" * LONGEST


@given(st.text(max_size=40) | st.text(alphabet="aeinos (')-_&./\u0301\u200d\u202eİſﬁ1", max_size=30))
def test_canonical_names_are_fixed_points_made_of_safe_characters(name: str) -> None:
    try:
        canonical = normalise(name)
    except BadName:
        return
    assert normalise(canonical) == canonical
    assert trace(canonical)[1] == ()
    assert "  " not in canonical
    assert canonical == canonical.strip()
    assert canonical == unicodedata.normalize("NFKC", canonical)
    assert all(ch in " '-.()" or ch.isalnum() or unicodedata.category(ch)[0] == "M" for ch in canonical)
    canonical.encode()


@given(st.sampled_from(sorted(GOLDEN)), st.sampled_from([str.upper, str.title, str.lower]))
def test_case_and_separators_make_no_difference(name: str, cased: object) -> None:
    assert callable(cased)
    for separator in ("_", "-", "  "):
        assert normalise(cased(name).replace(" ", separator)) == normalise(name)


def test_a_name_is_parted_from_its_qualifier() -> None:
    assert without_qualifier("shell (crew boat)") == "shell"
    assert qualifier("shell (crew boat)") == "crew boat"
    assert qualifier("shell") == ""


def test_trace_names_the_kinds_of_change_in_order() -> None:
    assert trace("colied_tubes") == ("coiled tube", ("separators", "typo", "plural"))
    assert trace("wing") == ("wing", ())
    assert trace("x-ray") == ("x-ray", ())


def test_what_could_be_canonical_is_told_from_what_could_not() -> None:
    assert all(map(is_plain, ["wing", "trousers", "t-shirt", "shell (crew boat)", "tyre", "wings"]))
    assert not any(map(is_plain, ["", "Wing", "wing ", "a  b", "trash_can", "{wing}", "w" * 300]))
