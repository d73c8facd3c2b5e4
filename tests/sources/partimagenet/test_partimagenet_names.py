"""Names of classes and parts."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from partonomy_data.errors import SourceError
from partonomy_data.sources.partimagenet import names


@pytest.mark.parametrize(
    ("file_name", "wnid"),
    [
        ("n04252225_8354.JPEG", "n04252225"),
        ("train/n04252225/n04252225_8354.JPEG", "n04252225"),
        ("n04252225-8354.JPEG", None),
        ("n04252225.JPEG", None),
        ("n0425222_8354.JPEG", None),
        ("x04252225_8354.JPEG", None),
        ("2008_000002.jpg", None),
        ("", None),
    ],
)
def test_the_wnid_is_what_stands_before_the_underscore(file_name: str, wnid: str | None) -> None:
    assert names.wnid_of(file_name) == wnid


@pytest.mark.parametrize(
    ("category", "supercategory", "part"),
    [
        ("Quadruped Head", "Quadruped", "head"),
        ("Car Side Mirror", "Car", "side mirror"),
        ("Car Tier", "Car", "tire"),
        ("Bicycle Tier", "Bicycle", "tire"),
        ("Quadruped", "Quadruped", None),
        ("Quadruped Head", "", None),
        ("person", "person", None),
        ("Carriage Wheel", "Car", None),
        ("bicycle", "vehicle", None),
    ],
)
def test_a_part_is_the_category_without_its_supercategory(category: str, supercategory: str, part: str | None) -> None:
    assert names.part_words(category, supercategory) == part


def test_the_40_categories_have_13_part_names(part_names: list[str]) -> None:
    words = [names.part_words(name, name.split()[0]) for name in part_names]
    expected = {"body", "engine", "fin", "foot", "hand", "head", "mouth"}
    assert set(words) == expected | {"sail", "seat", "side mirror", "tail", "tire", "wing"}


def test_every_shipped_class_has_a_name_of_its_own_whatever_the_case_or_number() -> None:
    table = names.shipped_synsets()
    found = names.class_names(table)
    assert len(table) == len(found) == 1000
    assert max(Counter(name.rstrip("es") for name in found.values()).values()) == 1
    assert all(name == name.lower() and name for name in found.values())


def test_classes_that_share_a_first_word_are_kept_apart() -> None:
    found = names.class_names(["n02012849", "n03126707", "n02113186", "n02963159", "n03710637", "n03710721"])
    assert found == {
        "n02012849": "crane (wading bird)",
        "n03126707": "crane (lifting device)",
        "n02113186": "cardigan welsh corgi",
        "n02963159": "cardigan (sweater)",
        "n03710637": "maillot (tights)",
        "n03710721": "tank suit",
    }


@given(st.sets(st.sampled_from(sorted(names.shipped_synsets())), max_size=5))
@settings(max_examples=20, deadline=None)
def test_a_class_is_called_the_same_whichever_others_are_there(wnids: set[str]) -> None:
    together = names.class_names(wnids)
    assert together == {wnid: names.class_names([wnid])[wnid] for wnid in wnids}


def test_a_wnid_without_words_has_no_name() -> None:
    assert names.class_names(["n99999999", "n01440764"]) == {"n01440764": "tench"}


def test_a_mapping_file_names_classes_that_are_not_shipped(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("n99999999\twug, wugs\n\nn01440764 doctor fish\n")
    path = names.mapping_file(tmp_path)
    assert path == tmp_path / "words.txt"
    mapping = names.read_mapping(path)
    assert names.class_names(["n99999999", "n01440764"], mapping) == {
        "n99999999": "wug",
        "n01440764": "doctor fish",
    }


def test_names_that_nothing_tells_apart_get_their_wnids() -> None:
    mapping = {"n99999998": ("wug",), "n99999999": ("wugs",)}
    assert names.class_names(mapping, mapping) == {
        "n99999998": "wug (n99999998)",
        "n99999999": "wugs (n99999999)",
    }


def test_a_mapping_file_in_the_folder_around_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("n99999999\twug\n")
    (tmp_path / "data").mkdir()
    assert names.mapping_file(tmp_path / "data") is None


@pytest.mark.parametrize("text", [b"n01440764 tench\nnonsense here\n", b"n01440764 , ,\n", b"\xff\xfe\x00"])
def test_a_damaged_mapping_file_is_refused_in_one_line(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes(text)
    with pytest.raises(SourceError) as refused:
        names.read_mapping(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_shipped_words_are_those_of_the_real_mapping_file(shared_data: Path) -> None:
    mapping = names.read_mapping(shared_data / "partimagenet" / "LOC_synset_mapping.txt")
    assert mapping == {wnid: synset.lemmas for wnid, synset in names.shipped_synsets().items()}


def test_the_real_image_list_has_109_classes_with_distinct_names(shared_data: Path) -> None:
    with (shared_data / "partimagenet" / "train_test_split_pimagenet_ood.txt").open() as file:
        rows = list(csv.reader(file, delimiter="\t"))
    assert len(rows) == 16_540
    assert all(names.wnid_of(row[4]) == row[3] for row in rows)
    found = names.class_names({row[3] for row in rows})
    assert len(found) == len(set(found.values())) == 109
    assert (found["n04252225"], found["n04146614"]) == ("snowplow", "school bus")
