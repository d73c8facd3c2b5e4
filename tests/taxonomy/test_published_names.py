"""The datasets' published category lists go through normalisation with no two different things becoming one."""

from __future__ import annotations

import importlib.util
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from partonomy_data.sources.records import Vocabulary
from partonomy_data.taxonomy.names import Names, build, normalise
from partonomy_data.taxonomy.relations import judge
from partonomy_data.taxonomy.words import without_qualifier

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def make_names() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_names", DOCS / "make_names.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def lists(make_names: ModuleType, shared_data: Path) -> Mapping[str, Vocabulary]:
    made: Mapping[str, Vocabulary] = make_names.vocabularies(shared_data)
    return made


@pytest.fixture(scope="module")
def names(lists: Mapping[str, Vocabulary]) -> Names:
    return build(lists)


def test_the_lists_are_whole(lists: Mapping[str, Vocabulary]) -> None:
    sizes = {source: (len(one.objects), len(one.parts)) for source, one in lists.items()}
    assert sizes == {"paco": (75, 456), "partonomy": (539, 2123), "imagenet": (1000, 0), "pascal": (20, 93)}
    assert len({part.name for part in lists["paco"].parts}) == 200


def test_no_two_object_categories_of_a_source_become_one(lists: Mapping[str, Vocabulary], names: Names) -> None:
    for source, one in lists.items():
        canonical = names.sources[source].objects
        assert len(canonical) == len(one.objects)
        assert len(set(canonical.values())) == len(one.objects), source
    assert names.rejected == ()


def test_no_two_parts_of_an_object_become_one(lists: Mapping[str, Vocabulary], names: Names) -> None:
    for source, one in lists.items():
        pairs = {(p.object_category, p.part_category) for p in names.sources[source].parts.values()}
        assert len(pairs) == len(one.parts), source
    assert not [report for report in names.reports if report.rule == "part_names_merged"]


def test_part_names_merge_only_if_they_differ_by_number_or_separators_or_a_listed_error(
    lists: Mapping[str, Vocabulary], english: Any
) -> None:
    plural = english.plural_noun
    listed = {"ink resevoir": "ink reservoir", "footpedal": "foot pedal", "turnsignal": "turn signal"}
    listed |= {"steeringwheel": "steering wheel", "runningboard": "running board"}
    spelled: dict[str, set[str]] = defaultdict(set)
    for one in lists.values():
        for part in one.parts:
            spelled[normalise(part.name)].add(part.name)
    merged = {canonical: some for canonical, some in spelled.items() if len(some) > 1}
    assert len(merged) == 45
    for canonical, some in merged.items():
        plain = {listed.get(name, name.replace("_", " ")) for name in some}
        assert plain <= {canonical, plural(canonical)}, some


def test_sources_share_the_categories_that_they_both_have(names: Names) -> None:
    by_source = {source: set(one.objects.values()) for source, one in names.sources.items()}
    assert {"car", "bottle", "bicycle", "chair", "dog"} <= by_source["paco"] & by_source["pascal"]
    assert {"bowl", "mug", "blender", "mouse"} <= by_source["paco"] & by_source["partonomy"]


def test_qualifiers_stay_only_beside_another_of_the_same_name(names: Names) -> None:
    every = {name for one in names.sources.values() for name in one.objects.values()}
    for name in every:
        bare = without_qualifier(name)
        if bare != name:
            assert any(without_qualifier(other) == bare for other in every - {name}), name


def test_relations_of_the_published_parts_hold_what_anyone_would_say(names: Names) -> None:
    parts = {part.part_category for one in names.sources.values() for part in one.parts.values()}
    rows = {(one.part_a, one.part_b): one.relation for one in judge(parts)}
    assert rows["tail boom", "tailboom"] == "same"
    assert rows["river bed", "riverbed"] == "same"
    assert rows["left button", "button"] == "narrower"
    assert rows["rotor blade", "blade"] == "narrower"
    assert rows["saddle", "seat"] == "narrower"
    assert rows["steering wheel", "wheel"] == "distinct"
    assert rows["wheel", "tire"] == "distinct"
    assert ("leg", "foot") not in rows


def test_the_documented_table_of_changed_names_is_up_to_date(make_names: ModuleType, shared_data: Path) -> None:
    documented = (DOCS / "names.md").read_text(encoding="utf-8")
    assert documented == make_names.render(shared_data)
    assert len(documented.encode()) < 60_000
