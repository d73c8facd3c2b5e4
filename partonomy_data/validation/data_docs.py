"""The report of a validation, by Great Expectations: it counts what the rules found once more, and writes its data docs.

Great Expectations reads no table. It is given the verdicts (`frames`), expects of each that it is true, and so says by
itself what succeeds and how many rows don't keep a rule. Its pages are made readable without a network by `documents`.
This is the only module that imports Great Expectations, and only when it is called.
"""

from __future__ import annotations

import datetime
import gc
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from partonomy_data.errors import UsageError
from partonomy_data.store.files import write_text
from partonomy_data.validation import documents
from partonomy_data.validation.documents import Block, Verdict
from partonomy_data.validation.frames import ROW, frame
from partonomy_data.validation.running import Outcome
from partonomy_data.validation.suites import Suite, content, suites

#: How many of the rows that break a rule are named on a page.
NAMED: Final = 20

#: Great Expectations leaves a frame with as many rows to the garbage collector, which would not hurry.
_LARGE: Final = 1_000_000

#: Great Expectations names rows by their number in the frame: it would look their names up row by row.
_RESULT_FORMAT: Final = {
    "result_format": "SUMMARY",
    "partial_unexpected_count": NAMED,
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}


@dataclass(frozen=True, slots=True)
class GxReport:
    """What Great Expectations came to, and where it says so."""

    index: Path
    """The page to begin with."""
    verdicts: Mapping[tuple[str, str], Verdict]
    """(table, rule) → what it says of the rule."""


def available() -> bool:
    """Whether Great Expectations is installed."""
    return find_spec("great_expectations") is not None


def wanted() -> bool:
    """Whether it is, and the environment doesn't do without (PARTONOMY_DATA_DOCS=0)."""
    return available() and os.environ.get("PARTONOMY_DATA_DOCS") != "0"


def write(outcomes: Sequence[Outcome], folder: Path, *, title: str) -> GxReport:
    """Has Great Expectations count the outcomes, and writes its data docs: `folder`/index.html, validations/, expectations/.

    Nothing is read from the network, and nothing is written elsewhere. Raises UsageError where Great Expectations is not
    installed, and RuntimeError where it fails.
    """
    by_table: dict[str, list[Outcome]] = {}
    for one in outcomes:
        by_table.setdefault(one.table, []).append(one)
    report = Report(folder, title=title)
    for mine in by_table.values():
        report.add(mine)
    return report.close()


def ready() -> None:
    """Imports all that a report needs, which takes seconds. Raises UsageError where Great Expectations is not installed."""
    if not available():
        raise UsageError(
            "the validation report needs great_expectations, which is not installed",
            mend="Run: pip install 'partonomy-data[validation]'",
        )
    with _quiet():
        import great_expectations  # noqa: F401
        import pandas  # noqa: F401
        from great_expectations.render import renderer, view  # noqa: F401


class Report:
    """A report under way: suites are added one by one, in the order of its pages; `close` writes the first page."""

    def __init__(self, folder: Path, *, title: str) -> None:
        """Raises UsageError where Great Expectations is not installed."""
        ready()
        self._folder = folder
        self._outcomes: dict[str, list[Outcome]] = {}
        self._verdicts: dict[tuple[str, str], Verdict] = {}
        with _quiet():
            import great_expectations
            from great_expectations.render.view import DefaultJinjaPageView

            self._context = _context()
            self._run = documents.Run(
                title=title,
                time=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC",
                version=str(great_expectations.__version__),
                environment=documents.with_pages(DefaultJinjaPageView().env),
            )

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Has the outcomes of one suite counted, and writes its pages; instead of earlier ones of the same suite.

        Raises RuntimeError where Great Expectations fails.
        """
        mine, table = list(outcomes), outcomes[0].table
        known = suites().get(table)
        suite = Suite(table, known.meta if known else {}, tuple(one.expectation for one in mine))
        with _quiet():
            if table in self._outcomes:
                self._context = _context()  # one knows a suite for good
            found, pages = _validated(self._context, suite, mine)
        if max(one.checked for one in mine) > _LARGE:
            gc.collect()
        self._outcomes[table] = mine
        self._verdicts.update({(table, rule): verdict for rule, verdict in found.items()})
        write_text(
            self._folder / "validations" / f"{table}.html", documents.validation(self._run, pages[0], mine, found)
        )
        write_text(self._folder / "expectations" / f"{table}.html", documents.suite(self._run, pages[1], mine))

    def close(self) -> GxReport:
        """Writes the page to begin with."""
        index = self._folder / "index.html"
        write_text(index, documents.index(self._run, self._outcomes, self._verdicts))
        return GxReport(index, self._verdicts)


def disagreements(outcomes: Sequence[Outcome], report: GxReport) -> list[str]:
    """Where Great Expectations came to something else than the outcomes say, a line for each rule. None is expected.

    What `mostly` allows is compared where both took the share of the same number of rows.
    """
    lines = []
    for one in outcomes:
        verdict = report.verdicts.get((one.table, one.rule))
        if verdict is None:
            lines.append(f"{one.table}.{one.rule}: Great Expectations says nothing of it")
        elif verdict.failed != one.failed:
            lines.append(f"{one.table}.{one.rule}: {one.failed} rows break it, {verdict.failed} by Great Expectations")
        elif verdict.success != one.within and (one.expectation.kwargs.mostly == 1 or verdict.rows == one.checked):
            ours, theirs = ("kept" if kept else "broken" for kept in (one.within, verdict.success))
            lines.append(f"{one.table}.{one.rule}: it is {ours}, but {theirs} by Great Expectations")
    return lines


def _context() -> Any:
    """Great Expectations' context, which writes nothing to disk."""
    import great_expectations

    context = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context


def _validated(
    context: Any, suite: Suite, outcomes: Sequence[Outcome]
) -> tuple[dict[str, Verdict], tuple[Block, Block]]:
    """Rule → verdict, and what the pages of the result and of the suite say, as plain data."""
    import pandas as pd
    from great_expectations import ExpectationSuite, ValidationDefinition
    from great_expectations.render.renderer import ExpectationSuitePageRenderer, ValidationResultsPageRenderer

    rows = frame(suite.name, outcomes)
    names = rows[ROW]
    plain = content(suite)
    for one in plain["expectations"]:
        one["description"] = documents.escaped(one["description"])  # it becomes part of a page as it is
    expected = context.suites.add(ExpectationSuite(**plain, notes=plain["meta"].get("notes")))
    asset = context.data_sources.add_pandas(suite.name).add_dataframe_asset(suite.name)
    batch = asset.add_batch_definition_whole_dataframe("all")
    result = ValidationDefinition(name=suite.name, data=batch, suite=expected).run(
        batch_parameters={"dataframe": rows.drop(columns=ROW)}, result_format=_RESULT_FORMAT
    )
    context.data_sources.delete(suite.name)
    verdicts = {}
    for one in result.results:
        rule = one.expectation_config.meta["rule"]
        _check(f"{suite.name}.{rule}", one.exception_info)
        numbers = one.result["partial_unexpected_index_list"]
        named = tuple(None if pd.isna(name) else str(name) for name in names.iloc[numbers])
        counts = one.result["element_count"], one.result["unexpected_count"]
        verdicts[rule] = Verdict(bool(one.success), int(counts[0]), int(counts[1]), named)
    pages = ValidationResultsPageRenderer().render(result), ExpectationSuitePageRenderer().render(expected)
    return verdicts, (pages[0].to_json_dict(), pages[1].to_json_dict())


def _check(rule: str, told: Mapping[str, Any]) -> None:
    """Raises RuntimeError if the rule could not be evaluated, which Great Expectations tells as a failure."""
    for one in [told] if "raised_exception" in told else told.values():
        if one["raised_exception"]:
            raise RuntimeError(f"Great Expectations could not evaluate {rule}: {one['exception_message']}")


@contextmanager
def _quiet() -> Iterator[None]:
    """While Great Expectations is imported and runs: it tells nobody of it, and doesn't warn of what it is itself made of."""
    name = "GX_ANALYTICS_ENABLED"
    before = os.environ.get(name)
    os.environ[name] = "false"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
