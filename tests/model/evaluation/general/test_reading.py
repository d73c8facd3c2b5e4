"""Rows of general sets in their official files: every row is a question or left out for a reason, and none is lost."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model.evaluation.general.reading import Format, LeftOut, Question, chosen, parsed, read
from model.plum.errors import ModelError

TEN = ["boston"] * 4 + ["Boston, MA"] * 6


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("a.jpg", "b.png", "below/c.jpg"):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / name)
    return folder


def pope(name: Any, image: Any = "a.jpg", text: Any = "Is there a dog?", label: Any = "yes") -> dict[str, Any]:
    return {"question_id": name, "image": image, "text": text, "label": label}


def textvqa(name: Any, image: Any = "a", answers: Any = TEN) -> dict[str, Any]:
    return {"question_id": name, "image_id": image, "question": "Where is it?", "answers": answers, "image_width": 8}


def gqa(image: Any = "a", answer: Any = "left", question: Any = "Which side?") -> dict[str, Any]:
    return {"imageId": image, "question": question, "answer": answer, "types": {"structural": "query"}}


def outcomes(form: Format, path: Path, images: Path) -> list[str]:
    """Of each row, the question's id, or why it is left out."""
    return [row.question_id if isinstance(row, Question) else row.why for row in read(form, path, images)]


def test_each_official_format_is_read(images: Path, tmp_path: Path) -> None:
    path = tmp_path / "set"
    path.write_text("".join(f"{json.dumps(one)}\n" for one in (pope(1), pope(2, "below/c.jpg", label="no"))) + "\n")
    assert list(read("pope", path, images)) == [
        Question("1", images / "a.jpg", "Is there a dog?", ("yes",)),
        Question("2", images / "below/c.jpg", "Is there a dog?", ("no",)),
    ]
    path.write_text(json.dumps({"dataset_type": "val", "data": [textvqa(34602), textvqa(34603, "b")], "more": [1]}))
    assert list(read("textvqa", path, images)) == [
        Question("34602", images / "a.jpg", "Where is it?", tuple(TEN)),
        Question("34603", images / "b.png", "Where is it?", tuple(TEN)),
    ]
    path.write_text(json.dumps({"05515938": gqa(), "07": gqa("b", "yes")}))
    assert list(read("gqa", path, images)) == [
        Question("05515938", images / "a.jpg", "Which side?", ("left",)),
        Question("07", images / "b.png", "Which side?", ("yes",)),
    ]


BAD_POPE: dict[str, Any] = {
    "no JSON": (b"{", "malformed"),
    "half a letter": (b'{"question_id": 1, "text": "\xff"}', "malformed"),
    "a list": (b"[1]", "malformed"),
    "nested without end": (b"[" * 100_000, "malformed"),
    "no id": (pope(None), "malformed"),
    "an id that is none": (pope(True), "malformed"),
    "a blank question": (pope(1, text=" "), "malformed"),
    "a question that is none": (pope(1, text=["a"]), "malformed"),
    "half a character": (b'{"question_id": 1, "image": "a.jpg", "text": "\\ud800?", "label": "no"}', "malformed"),
    "no label": (pope(1, label=None), "no answer"),
    "another label": (pope(1, label="maybe"), "no answer"),
    "no photograph": (pope(1, "z.jpg"), "no photograph"),
    "a photograph elsewhere": (pope(1, "../photographs0/a.jpg"), "no photograph"),
    "a photograph anywhere": (pope(1, "/etc/hostname"), "no photograph"),
    "a name that no file can have": (pope(1, "a\0.jpg"), "no photograph"),
    "a very long name": (pope(1, "a" * 5000), "no photograph"),
    "a folder": (pope(1, "below"), "no photograph"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_POPE)
def test_a_row_that_cannot_be_used_is_left_out_and_told_with_its_line(kind: str, images: Path, tmp_path: Path) -> None:
    row, why = BAD_POPE[kind]
    line = row if isinstance(row, bytes) else json.dumps(row).encode()
    (tmp_path / "set").write_bytes(b"%s\n%s\n%s\n" % (json.dumps(pope(8)).encode(), line, json.dumps(pope(9)).encode()))
    first, second, third = read("pope", tmp_path / "set", images)
    assert isinstance(second, LeftOut)
    assert (second.where, second.why) == ("line 2", why)
    assert str(second).isprintable()
    assert isinstance(first, Question)
    assert isinstance(third, Question)


def test_of_rows_with_one_id_the_first_stands_for_it(images: Path, tmp_path: Path) -> None:
    rows = [pope(1), pope("1", label="no"), pope(2, "z.jpg"), pope(2), pope(3)]
    (tmp_path / "set").write_text("\n".join(map(json.dumps, rows)))
    assert outcomes("pope", tmp_path / "set", images) == ["1", "doubled", "no photograph", "doubled", "3"]
    first, again = json.dumps(gqa()), json.dumps(gqa("b"))
    (tmp_path / "set").write_text(f'{{"1": {first}, "2": 3, "1": {again}}}')
    assert outcomes("gqa", tmp_path / "set", images) == ["1", "malformed", "doubled"]


@pytest.mark.parametrize("answers", [None, [], "boston", [1] * 10, [" "] * 10, TEN[:9], [*TEN, "ma"]])
def test_textvqa_takes_ten_answers(answers: Any, images: Path, tmp_path: Path) -> None:
    row = textvqa(1, answers=answers)
    (tmp_path / "set").write_text(json.dumps({"data": [row if answers is not None else {**row, "answers": None}]}))
    (left,) = read("textvqa", tmp_path / "set", images)
    assert isinstance(left, LeftOut)
    assert (left.where, left.why) == ("data[0]", "no answer")


def test_gqa_takes_one_answer_and_any_name_is_told_printably(images: Path, tmp_path: Path) -> None:
    rows = {"1": gqa(answer=" "), "2": gqa(answer=3), "a\nb\ud800": gqa(), "3": gqa(), "4": gqa("../photographs0/a")}
    (tmp_path / "set").write_text(json.dumps(rows))
    found = list(read("gqa", tmp_path / "set", images))
    assert [getattr(row, "why", "") for row in found] == ["no answer", "no answer", "malformed", "", "no photograph"]
    assert all(str(row).isprintable() for row in found if isinstance(row, LeftOut))


kinds = st.lists(
    st.tuples(st.sampled_from(["good", "bad label", "no photograph", "no text"]), st.integers(0, 9)), max_size=20
)


@given(rows=kinds)
def test_as_many_rows_come_out_as_there_are_and_each_id_is_asked_once_at_most(
    rows: list[tuple[str, int]], images: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changed = {"bad label": {"label": ""}, "no photograph": {"image": "z"}, "no text": {"text": ""}, "good": {}}
    path = tmp_path_factory.getbasetemp() / "rows"
    path.write_text("".join(f"{json.dumps({**pope(name), **changed[kind]})}\n" for kind, name in rows))
    found = outcomes("pope", path, images)
    expected, seen = [], set[int]()
    why = {"bad label": "no answer", "no photograph": "no photograph", "no text": "malformed"}
    for kind, name in rows:
        expected.append("doubled" if name in seen else why.get(kind, str(name)))
        seen.add(name)
    assert found == expected
    assert max(Counter(one for one in found if one.isdigit()).values(), default=1) == 1


def test_the_questions_under_a_limit_are_the_same_in_whatever_order(images: Path) -> None:
    questions = [Question(str(number), images / "a.jpg", "?", ("yes",)) for number in range(50)]
    some = chosen(iter(questions), 7, 0)
    assert some is not None
    assert len(some) == 7
    assert some == chosen(iter([LeftOut("line 1", "malformed", "it is no JSON"), *questions[::-1]]), 7, 0)
    assert some != chosen(iter(questions), 7, 1)
    assert some < (chosen(iter(questions), 8, 0) or frozenset())
    assert chosen(iter(questions), 80, 0) == {one.question_id for one in questions}
    assert chosen(iter(questions), None, 0) is None
    with pytest.raises(ModelError, match="limit must be at least 1"):
        chosen(iter(questions), 0, 0)


@pytest.mark.parametrize("name", ["pope", "pope:", "vqa:file.json", "file.json", ""])
def test_a_set_is_named_with_its_format_and_file(name: str) -> None:
    with pytest.raises(ModelError, match="Name its format and its file: pope:FILE, textvqa:FILE, gqa:FILE"):
        parsed(name)
    assert parsed("gqa:a:b.json") == ("gqa", Path("a:b.json"))


def test_files_and_folders_that_are_not_there_are_told(images: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"there is no such folder of photographs\. Check --images"):
        list(read("pope", tmp_path / "set", tmp_path / "none"))
    for form in ("pope", "textvqa", "gqa"):
        with pytest.raises(ModelError, match="can't be read: No such file"):
            list(read(form, tmp_path / "none", images))  # type: ignore[arg-type]
    (tmp_path / "long").write_text("a" * (1 << 21))
    with pytest.raises(ModelError, match="line 1 is longer than"):
        list(read("pope", tmp_path / "long", images))
