"""Every rule that masks name is declared, and every declared rule is named somewhere."""

from __future__ import annotations

import re
from pathlib import Path

from partonomy_data import masks


def test_the_declared_rules_are_those_that_the_code_names() -> None:
    folder = Path(masks.__file__).parent
    code = "".join(path.read_text() for path in sorted(folder.glob("*.py")) if path.name != "rules.py")
    named = set(re.findall(r'"((?:rle|mask|polygon|degenerate)_[a-z_]+)"', code))
    assert named == {rule.name for rule in masks.RULES}


def test_rules_have_one_name_one_outcome_and_whole_sentences() -> None:
    assert len({rule.name for rule in masks.RULES}) == len(masks.RULES)
    for rule in masks.RULES:
        assert rule.outcome in {"repaired", "quarantined"}
        assert rule.quirk.endswith(".")
        assert rule.how.endswith(".")
