"""A share of questions in other words: which are chosen, that nothing but words changes, and that links stay whole."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import partonomy_data
from partonomy_data.questions import rewording, wording
from partonomy_data.questions.admission_paraphrase import Original
from partonomy_data.questions.bank import Bank, Proposed, question_slots
from partonomy_data.questions.nouns import indefinite
from partonomy_data.questions.rewording import originals, reword
from partonomy_data.store import files, parquet
from tests.questions.reworded import always, anew, check_blocks, check_only_words_changed, paths, phrases, rows


@pytest.fixture
def version(demo_store: Path) -> Path:
    """The folder of the demo version's tables."""
    with partonomy_data.open(demo_store) as store:
        return store.folder


@pytest.fixture
def staged(version: Path, tmp_path: Path) -> Path:
    """The demo questions as a build stages them: links to files that are kept."""
    files.link_tree(version / "questions", tmp_path / "staged" / "questions")
    return tmp_path / "staged"


def drawn(staged: Path, percent: float, seed: int = 0) -> list[str]:
    """The ids of the chosen texts."""
    return [one.id for path in paths(staged) for one in originals(path, percent, seed, Bank.standard())]


@pytest.mark.soak
def test_nothing_of_a_hundred_leaves_all_files_as_they_are(staged: Path) -> None:
    before = {path: path.stat().st_ino for path in paths(staged)}

    def never(_: Sequence[Original]) -> list[Proposed | None]:
        raise AssertionError("nothing was to be asked")

    assert reword(staged, 0, 0, (), never) == 0
    assert {path: path.stat().st_ino for path in paths(staged)} == before


def test_all_of_a_hundred_words_every_question_and_changes_nothing_else(staged: Path, version: Path) -> None:
    before, kept = rows(staged), {path: path.read_bytes() for path in files.files_under(version / "questions")}
    assert reword(staged, 100, 0, (), always) == len(before)
    after = rows(staged)
    check_only_words_changed(before, after)
    check_blocks(after)
    for old, new in zip(before, after, strict=True):
        turn = "named" if new["names_object"] else "unnamed"
        assert new["wording"] == f"{new['question_type']}/{turn}/call_9.p1"
        assert new["question"].startswith("Anew: ")
        others = [indefinite(name) for name in reversed(new["contrast_categories"])]
        assert new["question"].removeprefix("Anew: ").split(" / ")[:-1] == others
        assert new["question"].split(" / ")[-1].removeprefix("Anew: ") in old["question"]
        assert all(choice["text"].endswith(" (all).") for choice in new["choices"])
        assert len({choice["text"] for choice in new["choices"]}) == len(new["choices"])
    assert {path: path.read_bytes() for path in files.files_under(version / "questions")} == kept, (
        "a link was written to"
    )


def slowly(staged: Path, percent: float, target: Path) -> None:
    """The same by plain Python: row by row, with the texts that the bank gives."""
    chosen = set(drawn(staged, percent))
    for path in paths(staged):
        table = pq.read_table(path, partitioning=None)
        found = table.to_pylist()
        for row in found:
            together = "/".join((row["question_id"][:16], row["question_type"], *row["contrast_categories"]))
            if (row["question_id"] if row["block_id"] is None else together) not in chosen:
                continue
            kind, others = row["question_type"], tuple(map(indefinite, row["contrast_categories"]))
            pieces = Bank.standard().template(row["wording"], parts=True).question
            text = row["question"]
            thing = next(
                text[start:end]
                for start in range(len(text))
                for end in range(len(text), start, -1)
                if text[start:end].endswith((" in the image", " marked by a box in the image"))
                and wording.filled(pieces, dict(zip(question_slots(kind), (text[start:end], *others), strict=True)))
                == text
            )
            new = anew(Original("", kind, "", "", {}, (), ()))
            bank = Bank.extended([new])
            row["wording"] = f"{kind}/{'named' if row['names_object'] else 'unnamed'}/{new.id}"
            row["question"] = wording.filled(
                bank.template(row["wording"], parts=True).question,
                dict(zip(question_slots(kind), (thing, *others), strict=True)),
            )
            for choice in row["choices"]:
                named = zip(phrases(choice), (span["part"] for span in choice["spans"]), strict=True)
                choice["text"], spans = wording.answer(row["wording"], named, bank=bank)
                choice["spans"] = [{"start": start, "end": end, "part": part} for start, end, part in spans]
        parquet.write(pa.Table.from_pylist(found, schema=table.schema), target / path.relative_to(staged), "questions")


@pytest.mark.parametrize(("percent", "together"), [(30, 16_384), (30, 7), (100, 100)])
def test_files_are_those_that_plain_python_writes(
    staged: Path, tmp_path: Path, percent: float, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many are asked for at once. Files without a chosen text are the very files that there were."""
    slowly(staged, percent, tmp_path / "slowly")
    monkeypatch.setattr(rewording, "TOGETHER", together)
    written: list[Path] = []
    write = parquet.write

    def noted(given: Any, path: Path, name: str) -> int:
        written.append(path)
        return write(given, path, name)

    monkeypatch.setattr(parquet, "write", noted)
    assert reword(staged, percent, 0, (), always) > 0
    assert len(set(written)) == len(written), "a file was written twice"
    for path in paths(staged):
        assert path.read_bytes() == (tmp_path / "slowly" / path.relative_to(staged)).read_bytes()


def test_what_has_no_paraphrase_keeps_its_wording_and_untouched_files_their_place(staged: Path) -> None:
    before, inodes = rows(staged), {path: path.stat().st_ino for path in paths(staged)}
    assert reword(staged, 100, 0, (), lambda some: [None] * len(some)) == 0
    assert {path: path.stat().st_ino for path in paths(staged)} == inodes

    def contrasts(some: Sequence[Original]) -> list[Proposed | None]:
        return [anew(one) if one.question_type == "contrast" else None for one in some]

    assert reword(staged, 100, 0, (), contrasts) == sum(row["question_type"] == "contrast" for row in before) > 0
    after = rows(staged)
    check_only_words_changed(before, after)
    for old, new in zip(before, after, strict=True):
        assert (old == new) == (new["question_type"] != "contrast")
    for path in paths(staged):
        touched = (
            "contrast" in pq.read_table(path, columns=["question_type"], partitioning=None)["question_type"].to_pylist()
        )
        assert (path.stat().st_ino == inodes[path]) != touched


def test_a_share_is_drawn_by_ids_and_seed_and_a_larger_one_holds_it(staged: Path) -> None:
    every = drawn(staged, 100)
    assert len(set(every)) == len(every) > 500
    last: set[str] = set()
    for percent in (0, 0.5, 10, 30, 70, 100):
        found = set(drawn(staged, percent))
        assert found >= last
        expected = len(every) * percent / 100
        assert abs(len(found) - expected) <= 5 * math.sqrt(expected * (1 - percent / 100) + 1e-9)
        last = found
    assert set(drawn(staged, 30, seed=1)) != set(drawn(staged, 30))


def test_what_is_shown_does_not_depend_on_which_choice_is_right(staged: Path) -> None:
    of: dict[str, set[str]] = defaultdict(set)
    for row in rows(staged):
        if row["block_id"] is not None:
            key = "/".join((row["question_id"][:16], row["question_type"], *row["contrast_categories"]))
            of[key] |= {choice["text"] for choice in row["choices"]}
    shown = {one.id: one.answer for path in paths(staged) for one in originals(path, 100, 0, Bank.standard())}
    assert len(of) > 50
    assert all(shown[key] == min(texts) for key, texts in of.items())


def test_a_second_time_nothing_is_reworded_in_silence(staged: Path) -> None:
    reword(staged, 100, 0, (), always)
    with pytest.raises(ValueError, match="no template for parts has the id"):
        reword(staged, 100, 0, (), always)


def test_a_reader_that_dies_leaves_the_files_whole(staged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in paths(staged)}
    choices: Callable[..., Any] = rewording._choices
    calls: Iterator[int] = iter(range(1000))

    def dies(*given: Any) -> Any:
        if next(calls) == 2:
            raise OSError(28, "No space left on device")
        return choices(*given)

    monkeypatch.setattr(rewording, "_choices", dies)
    with pytest.raises(OSError, match="No space left"):
        reword(staged, 100, 0, (), always)
    after = {path: path.read_bytes() for path in paths(staged)}
    assert after.keys() == before.keys()
    assert sum(after[path] != before[path] for path in before) == 2
