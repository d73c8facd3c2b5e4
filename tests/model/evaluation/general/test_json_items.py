"""A large JSON file read an item at a time is the file read whole; what is broken is told."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.evaluation.general import json_items
from model.evaluation.general.json_items import pairs
from model.plum.errors import ModelError

plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)
objects = st.dictionaries(st.text(max_size=4), values, max_size=5)


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    """A file that is read a character at a time."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(json_items, "_CHUNK", 1)
        yield Path(folder) / "some.json"


@settings(max_examples=30)
@given(content=objects, indent=st.none() | st.integers(0, 2), ascii_only=st.booleans())
def test_pairs_are_those_of_the_whole(
    path: Path, content: dict[str, Any], indent: int | None, ascii_only: bool
) -> None:
    try:
        path.write_text(json.dumps(content, indent=indent, ensure_ascii=ascii_only), encoding="utf-8")
    except UnicodeEncodeError:
        path.write_text(json.dumps(content, indent=indent), encoding="utf-8")
    assert list(pairs(path)) == list(content.items())


@settings(max_examples=30)
@given(before=objects, items=st.lists(values, max_size=5), after=objects)
def test_items_are_those_of_the_list_wherever_it_stands(
    path: Path, before: dict[str, Any], items: list[Any], after: dict[str, Any]
) -> None:
    for one in (before, after):
        one.pop("data", None)
    path.write_text(
        json.dumps(before | {"data": items} | {name: one for name, one in after.items() if name not in before})
    )
    assert [one for _, one in pairs(path, "data")] == items
    assert [name for name, _ in pairs(path, "data")] == [str(number) for number in range(len(items))]


@pytest.mark.parametrize("number", ["0", "12", "-1.5", "2e5", "2.5E-3", "1e+2"])
def test_a_number_that_is_cut_is_read_whole(path: Path, number: str) -> None:
    path.write_text(f'{{"a": {number}, "b": [{number}], "c":{number}}}')
    assert list(pairs(path)) == [("a", float(number)), ("b", [float(number)]), ("c", float(number))]


def test_a_name_that_stands_there_twice_comes_twice(path: Path) -> None:
    path.write_text('\ufeff{"a": 12, "b": 3 , "a": 45}\n', encoding="utf-8")
    assert list(pairs(path)) == [("a", 12), ("b", 3), ("a", 45)]


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"a"', '{"a": ', '{"a": 1', '{"a": 1,', '{"a": 1,}', '{"a": 1} {}', '{1: 2}', '{"a" 1}', '{"a": 1 "b": 2}',
     '{"a": nul}', '{"a": "b}', '{"a": \n1]'],
)  # fmt: skip
def test_what_is_no_object_or_ends_before_it_should_is_told(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ModelError, match="is not the JSON that it should be") as told:
        list(pairs(path))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "text", ['{"a": []}', '{"data": {}}', '{"data": [1,]}', '{"data": [1 2]}', '{"data": [1}', '{"data": [']
)
def test_what_has_no_such_list_is_told(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(ModelError, match="is not the JSON that it should be"):
        list(pairs(path, "data"))


def test_hostile_files_are_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "some.json"
    path.write_bytes(b'{"a": "\xff\xfe"}')
    with pytest.raises(ModelError, match="is not the JSON"):
        list(pairs(path))
    path.write_text('{"a": ' + "[" * 200_000)
    with pytest.raises(ModelError, match="is not the JSON"):
        list(pairs(path))
    monkeypatch.setattr(json_items, "_LONGEST", 1000)
    monkeypatch.setattr(json_items, "_CHUNK", 100)
    path.write_text('{"a": "' + "b" * 5000)
    with pytest.raises(ModelError, match="malformed, or very long"):
        list(pairs(path))
    with pytest.raises(ModelError, match=r"can't be read: No such file"):
        list(pairs(tmp_path / "none.json"))
