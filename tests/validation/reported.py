"""Outcomes of rules made by hand, some with hostile names, and the pages of their report as a browser takes them."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pyarrow as pa

from partonomy_data.validation.running import FOUND, Outcome
from partonomy_data.validation.suites import SEVERITY, Expectation, Kwargs, Level, Meta

HOSTILE: Final = [
    "<script>alert('x')</script>",
    '"><img src=http://example.com/x.png>',
    "two\nlines\tand \x00 \u202e",
    "$name ${severity} $$ {{ run.title }} {% raw %}",
    "&lt;b&gt; & </td></table>",
]


def outcome(
    table: str,
    rule: str,
    checked: int,
    rows: Sequence[str | None] = (),
    *,
    level: Level = "critical",
    mostly: float = 1.0,
    reason: str | None = None,
    says: str = "It holds.",
) -> Outcome:
    expectation = Expectation(
        "expect_column_values_to_be_in_set", Kwargs(rule, (True,), mostly), SEVERITY[level], says, Meta(rule, level)
    )
    found = pa.table({"row": list(rows), "reason": [reason] * len(rows)}, schema=FOUND)
    return Outcome(table, expectation, checked, found, 0.1)


class Page(HTMLParser):
    """A page as a browser takes it: its elements, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.lines: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.lines.append(" ".join(data.split()))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


BROKEN: Final = [
    outcome("questions", "object_exists", 1000, says="Each question's object exists & its mask is <= its image."),
    outcome(
        "questions", "spans_resolve", 1000, ["qst_7", "qst_3", None], level="row", mostly=0.99, reason="no such part"
    ),
    outcome("questions", "options_differ", 1000, [f"qst_{i:03}" for i in range(345)], level="row", mostly=0.99),
    outcome("questions", "answer_is_true", 1000, HOSTILE, reason="<b>not</b> 'so'\n", level="critical"),
    outcome("questions", "wording_varies", 1000, ["qst_3"], level="warning"),
    outcome("attributes", "parts_exist", 0),
    outcome("version", "files_readable", 2, ["objects/a.parquet", "parts/b.parquet"], reason="it is cut short"),
    outcome("version", "splits_disjoint", 1),
]
