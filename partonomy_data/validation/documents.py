"""The pages of a validation's report, from what Great Expectations' renderers give, so that they can be read offline.

A document of a renderer is plain data: sections of blocks (tables, lists, text), which Great Expectations' own templates
make into HTML. Only the page around them is the project's (`pages/`): no script, font or style comes from elsewhere. Added
to a document is what the renderers leave out: severity, and the rows that break a rule. Broken rules come first.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pyarrow.compute as pc

from partonomy_data.validation.running import Outcome
from partonomy_data.validation.suites import Expectation, Level

if TYPE_CHECKING:
    from jinja2 import Environment

#: A document of Great Expectations, or a part of one.
Block: TypeAlias = dict[str, Any]

#: What comes of a broken rule.
_COMES_OF_IT: Final[dict[Level, str]] = {
    "critical": "nothing is published if a row breaks it",
    "row": "a row that breaks it goes to quarantine, and nothing is published unless $share keep it",
    "warning": "it is told unless $share keep it",
}
_LEVELS: Final = tuple(_COMES_OF_IT)
FAILED: Final = ("broken", "Failed")
WARNED: Final = ("warned", "Succeeded, with warnings")
SUCCEEDED: Final = ("kept", "Succeeded")
#: Characters of a row's name, or of a reason, that a page shows.
_SHOWN: Final = 400


@dataclass(frozen=True, slots=True)
class Verdict:
    """What Great Expectations says of a rule."""

    success: bool
    rows: int
    """The rows it looked at."""
    failed: int
    """How many of them break the rule."""
    named: tuple[str | None, ...]
    """The first of those."""


@dataclass(frozen=True, slots=True)
class Run:
    """What all pages of a report share."""

    title: str
    time: str
    version: str
    """Of Great Expectations."""
    environment: Environment
    """See `with_pages`."""

    def page(self, template: str, **values: Any) -> str:
        """A page of the folder `pages`."""
        return self.environment.get_template(template).render(run=self, **values) + "\n"


def with_pages(environment: Environment) -> Environment:
    """Great Expectations' templates and filters, and the templates of the folder `pages`."""
    from jinja2 import ChoiceLoader, PackageLoader

    loaders = [PackageLoader("partonomy_data.validation", "pages"), *filter(None, [environment.loader])]
    return environment.overlay(loader=ChoiceLoader(loaders))


def validation(run: Run, document: Block, outcomes: Sequence[Outcome], verdicts: Mapping[str, Verdict]) -> str:
    """The page of a table's result: how each rule fared, which rows break it, and why."""
    outcomes = _broken_first(outcomes, verdicts)
    sections = _sections(document, outcomes)
    for section, one in zip(sections[1:], outcomes, strict=True):
        table = section["content_blocks"][-1]
        table["header_row"] = [*table["header_row"], "Severity"]
        table["table"] = [[*row, _severity(one.expectation)] for row in table["table"]]
        if verdicts[one.rule].failed:
            section["content_blocks"].append(_rows(one, verdicts[one.rule]))
    return run.page(
        "page.html",
        heading=f"Validation of {outcomes[0].table}",
        state=_state(outcomes, verdicts),
        other=("what is expected", f"../expectations/{outcomes[0].table}.html"),
        sections=sections,
        entries=[(one.rule, verdicts[one.rule].success) for one in outcomes],
    )


def suite(run: Run, document: Block, outcomes: Sequence[Outcome]) -> str:
    """The page of a table's suite: what is expected."""
    sections = _sections(document, outcomes)
    for section, one in zip(sections[1:], outcomes, strict=True):
        section["content_blocks"][-1]["bullet_list"].insert(1, _severity(one.expectation))
    return run.page(
        "page.html",
        heading=f"Expectations of {outcomes[0].table}",
        state=None,
        other=("how they fared", f"../validations/{outcomes[0].table}.html"),
        sections=sections,
        entries=[(one.rule, None) for one in outcomes],
    )


def index(run: Run, tables: Mapping[str, Sequence[Outcome]], verdicts: Mapping[tuple[str, str], Verdict]) -> str:
    """The page to begin with: every table, and every rule that some row breaks."""
    suites, broken = [], []
    for table, outcomes in tables.items():
        of_rule = {one.rule: verdicts[table, one.rule] for one in outcomes}
        failed = sum(not one.success for one in of_rule.values())
        rows = max(one.checked for one in outcomes)
        judged = max(one.checked if one.judged is None else one.judged for one in outcomes)
        suites.append((table, _state(outcomes, of_rule), rows, min(judged, rows), len(outcomes), failed))
        for place, one in enumerate(_broken_first(outcomes, of_rule), 2):
            if of_rule[one.rule].failed:
                broken.append((one, of_rule[one.rule], f"validations/{table}.html#section-{place}"))
    states = [state for _, state, *_ in suites]
    worst = next(state for state in (FAILED, WARNED, SUCCEEDED) if state in (*states, SUCCEEDED))
    return run.page("index.html", suites=suites, broken=broken, state=worst)


def escaped(text: str) -> str:
    """Text as HTML."""
    return html.escape(text, quote=False)


def _broken_first(outcomes: Iterable[Outcome], verdicts: Mapping[str, Verdict]) -> list[Outcome]:
    """Broken rules, then those that no more rows break than may, then the others: by level, in the order of the suite."""

    def key(one: Outcome) -> tuple[bool, bool, int]:
        verdict = verdicts[one.rule]
        return verdict.success, not verdict.failed, _LEVELS.index(one.expectation.level) if verdict.failed else 0

    return sorted(outcomes, key=key)


def _state(outcomes: Iterable[Outcome], verdicts: Mapping[str, Verdict]) -> tuple[str, str]:
    """What came of a suite: a class of the style sheet, and in words."""
    broken = {one.expectation.level for one in outcomes if not verdicts[one.rule].success}
    return FAILED if broken - {"warning"} else WARNED if broken else SUCCEEDED


def _sections(document: Block, outcomes: Iterable[Outcome]) -> list[Block]:
    """The overview without its heading and what it folds away, then the sections of the rules."""
    overview, *rest = document["sections"]
    kept = [block for block in overview["content_blocks"] if block["content_block_type"] in ("table", "text")]
    by_rule = {section["section_name"]: section for section in rest}
    return [{**overview, "content_blocks": kept}, *(by_rule[one.rule] for one in outcomes)]


def _severity(expectation: Expectation) -> Block:
    mostly = expectation.kwargs.mostly
    share = "all rows" if mostly == 1 else f"{100 * mostly:.6g}% of the rows"
    return _text(f"$severity: {_COMES_OF_IT[expectation.level]}", severity=expectation.severity, share=share)


def _rows(outcome: Outcome, verdict: Verdict) -> Block:
    """The rows that Great Expectations names, each with the reason that the rule gave."""
    of_them = outcome.found.filter(pc.is_in(outcome.found["row"], value_set=pc.cast(list(verdict.named), "string")))
    reasons = dict(zip(of_them["row"].to_pylist(), of_them["reason"].to_pylist(), strict=True))
    many = f"{verdict.failed:,} rows break it" if verdict.failed > 1 else "1 row breaks it"
    if verdict.failed > len(verdict.named):
        many += f"; the first {len(verdict.named)}"
    return {
        "content_block_type": "table",
        "header": _text(many, tag="h6"),
        "header_row": ["Row", "What is wrong"],
        "table": [
            [
                _text("$name", name=shown("(a row without a name)" if name is None else name)),
                _text("$why", why=shown(why)),
            ]
            for name in verdict.named
            for why in [reasons[name] or ""]
        ],
        "styling": {"classes": ["rows"], "body": {"classes": ["table"]}},
    }


def shown(text: str) -> str:
    """A name or reason on one line, with characters that can't be seen spelled out, and not too long."""
    if len(text) > _SHOWN:
        text = text[:_SHOWN] + "…"
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _text(template: str, *, tag: str = "span", **values: str) -> Block:
    """A string; Great Expectations escapes its values as it fills them in."""
    string = {"template": template, "params": values, "tag": tag}
    return {"content_block_type": "string_template", "string_template": string}
