"""The page on splits says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from partonomy_data.splits import REASONS, SPLITS, SplitSettings

PAGE = Path(__file__).resolve().parents[2] / "docs" / "splits.md"


def first_cells(heading: str) -> list[str]:
    """The names in the first column of the first table after a heading."""
    table = PAGE.read_text(encoding="utf-8").partition(heading)[2].partition("|---|---|\n")[2].partition("\n\n")[0]
    return [name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_the_splits_and_reasons_of_the_page_are_those_of_the_code() -> None:
    assert first_cells("# Splits") == [*SPLITS]
    assert first_cells("## Reasons") == [*REASONS]


def test_the_settings_that_the_page_names_exist_with_the_values_it_says() -> None:
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    defaults = SplitSettings()
    for sentence, value in {
        "differ in at most {} of 64 bits (`near_duplicate_bits`)": defaults.near_duplicate_bits,
        "{} photographs (`most_alike`)": defaults.most_alike,
        "fewer than {} (`few`)": defaults.few,
        "at least {} photographs (`fewest_photographs`)": defaults.fewest_photographs,
        "at most {:.0%} of all (`most_photographs`)": defaults.most_photographs,
        "{:.0%} of the object categories": defaults.unseen_objects,
        "{:.0%} of the parts": defaults.unseen_parts,
        "{:.0%} of the pairs": defaults.unseen_pairs,
    }.items():
        assert sentence.format(value).replace("%", " %") in text, sentence
    assert (defaults.val, defaults.test, defaults.evaluation_only) == (0.1, 0.1, ("partonomy",))
