"""The overrides file: what it may say, and the one line that tells where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from partonomy_data.errors import UsageError
from partonomy_data.taxonomy.overrides import load

GOOD = """\
relations:
  - {part_a: Rotor_Blades, part_b: on, relation: distinct, note: "a word that YAML takes for true"}
  - part_a: torso
    part_b: body
    relation: narrower
names:
  - {source: paco, name: colied_tube, canonical: hose (coiled), kind: part}
  - {source: paco, name: no, canonical: notebook}
"""


def written(folder: Path, text: str | bytes) -> Path:
    file = folder / "overrides.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_both_sections_are_read_and_part_names_made_canonical(tmp_path: Path) -> None:
    read = load(written(tmp_path, GOOD))
    assert [(r.part_a, r.part_b, r.relation) for r in read.relations] == [
        ("rotor blade", "on", "distinct"),
        ("torso", "body", "narrower"),
    ]
    assert read.relations[1].where == f"{tmp_path / 'overrides.yaml'}:3"
    assert read.canonical("paco", "part", "colied_tube") == "hose (coiled)"
    assert read.canonical("paco", "object", "colied_tube") is None
    assert read.canonical("paco", "object", "notes", "no") == "notebook"
    assert read.canonical("pascal_part", "object", "no") is None


@pytest.mark.parametrize("text", ["", "# nothing\n", "relations:\nnames: []\n", "\ufeffnames: []\n"])
def test_a_file_that_says_nothing_overrides_nothing(tmp_path: Path, text: str) -> None:
    read = load(written(tmp_path, text))
    assert (read.relations, read.names) == ((), ())


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("relation: []\n", 1, "unknown key 'relation'"),
        ("names: []\nnames: []\n", 2, "'names' stands twice"),
        ("- a\n", 1, "a mapping"),
        ("relations: {a: b}\n", 1, "a list of rows"),
        ("relations:\n  - wing\n", 2, "a mapping"),
        ("relations:\n  - {part_a: a, part_b: b}\n", 2, "'relation' is missing"),
        ("relations:\n  - {part_a: a, part_b: b, relation: wider}\n", 2, "'wider'"),
        ("relations:\n  - {part_a: wings, part_b: Wing, relation: same}\n", 2, "both 'wing'"),
        ("relations:\n  - {part_a: '{}', part_b: b, relation: same}\n", 2, "no letter or digit"),
        ("relations:\n  - {part_a: , part_b: b, relation: same}\n", 2, "'part_a' is empty"),
        ("relations:\n  - {part_a: [a], part_b: b, relation: same}\n", 2, "'part_a' must be text"),
        ("relations:\n  - {part_a: a, part_b: b, relation: same, why: x}\n", 2, "unknown key 'why'"),
        ("names:\n  - {source: s, name: n, canonical: Big_Wing}\n", 2, "'Big_Wing'"),
        ("names:\n  - {source: s, name: n, canonical: wing, kind: thing}\n", 2, "'thing'"),
        (
            "names:\n  - {source: s, name: n, canonical: a}\n  - {source: s, name: n, canonical: b}\n",
            3,
            "both 'a' and 'b'",
        ),
        ("names:\n  - {source: s\n", 3, "not YAML"),
        ("names:\n  - !!python/object:os.system {source: s}\n", 2, "'name' is missing"),
        ("? [a]\n: b\n", 1, "unknown key"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line_with_its_place(tmp_path: Path, text: str, line: int, problem: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load(file)
    message = str(caught.value)
    assert message.startswith(f"{file}:{line}: ")
    assert problem in message
    assert "\n" not in message


@pytest.mark.parametrize(("content", "problem"), [(b"\xff\xfe\x00", "not UTF-8"), (b"\x00\x01", "not YAML")])
def test_a_file_that_is_no_text_is_refused_in_one_line(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as caught:
        load(written(tmp_path, content))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        load(tmp_path / "nowhere.yaml")


def test_deep_nesting_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load(written(tmp_path, "names: " + "[" * 2000))
