"""The rules of a source are its reader's and the shared ones."""

from __future__ import annotations

import pytest

from partonomy_data.rulebook import SHARED, rules_of
from partonomy_data.sources.base import reader


@pytest.mark.parametrize("source", ["paco", "partimagenet", "pascal_part", "partonomy"])
def test_a_source_has_its_readers_rules_and_the_shared_ones(source: str) -> None:
    rules = rules_of(source)
    own = {rule.name: rule for rule in reader(source).rules}
    assert own.items() <= rules.items()
    shared = {rule.name: rule for group in SHARED.values() for rule in group}
    assert rules.keys() == own.keys() | shared.keys()
    assert all(rules[name] == rule for name, rule in shared.items() if name not in own)


def test_a_source_without_reader_has_the_shared_ones() -> None:
    assert rules_of("herbarium").keys() == {rule.name for group in SHARED.values() for rule in group}
