"""How each rule of the suites is checked: by a query that finds the rows that break it, or a function where SQL won't do.

photographs   images, objects, parts, what is known of parts in objects, attributes
masks         what the run-length masks hold, and parts inside their objects
taxonomy      names, the graphs, relations, plausibility
questions     each question by itself, and against what it asks about
blocks        questions with the same choices, and the photographs of a group
blind         what can be answered without the image
whole         files, counts, splits, what changed since the version before

A query gives the columns `row` (what the row is called: `subject.ROW`) and, where it helps, `reason`. It may name a row
more than once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TypeAlias

import pyarrow as pa

from partonomy_data.validation.subject import Subject

Check: TypeAlias = str | Callable[[Subject], pa.Table]


@cache
def checks() -> Mapping[tuple[str, str], Check]:
    """(suite, rule) → how it is checked."""
    from partonomy_data.validation.rules import blind, blocks, masks, photographs, questions, taxonomy, whole

    found: dict[tuple[str, str], Check] = {}
    for module in (photographs, masks, taxonomy, questions, blocks, blind, whole):
        for suite, rules in module.CHECKS.items():
            for rule, check in rules.items():
                if (suite, rule) in found:
                    raise ValueError(f"{suite}.{rule} is checked twice")
                found[suite, rule] = check
    return found
