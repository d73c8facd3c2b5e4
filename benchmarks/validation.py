"""All rules on a million questions with everything that they rest on; beside it, rules written for Great Expectations alone.

    python benchmarks/validation.py [--fraction 1.9] [--sample 5000] [--folder DIR]

The version is built from a file of PACO-LVIS's shape (benchmarks/paco_like.py): fraction 1.9 gives about a million questions.

    ours      `partonomy validate` in a process of its own: all rules of all tables, checksums of all files, and with
              --pages Great Expectations' report
    alone     the rules that a question keeps by itself, as map expectations on a pandas frame, which is how they are
              written where nothing else is at hand; on a sample of the same questions, scaled up
    the same  these rules by our query over all questions, in the same run
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
import paco_like

Question = Mapping[str, Any]


def _edited(q: Question) -> bool:
    right = q["choices"][q["correct_index"]]["parts"]
    for choice in q["choices"]:
        gone = {edit["part"] for edit in choice["edits"] if edit["op"] != "add"}
        new = [edit["replacement"] for edit in choice["edits"] if edit["op"] == "replace"]
        new += [edit["part"] for edit in choice["edits"] if edit["op"] == "add"]
        if sorted([part for part in right if part not in gone] + new) != sorted(choice["parts"]):
            return False
    return True


def _in_order(q: Question) -> bool:
    for choice in q["choices"]:
        end = 0
        for span in choice["spans"]:
            if not end <= span["start"] < span["end"] <= len(choice["text"]):
                return False
            end = span["end"]
    return True


#: Rule of the suite `questions` → the same in Python, for a row.
ALONE: Mapping[str, Callable[[Question], bool]] = {
    "one_correct_choice": lambda q: (
        [place for place, choice in enumerate(q["choices"]) if choice["is_correct"]] == [q["correct_index"]]
    ),
    "choices_differ": lambda q: (
        len({tuple(sorted(choice["parts"])) for choice in q["choices"]})
        == len({choice["text"] for choice in q["choices"]})
        == len(q["choices"])
    ),
    "choices_list_parts": lambda q: all(
        len(choice["parts"]) == len(set(choice["parts"])) > 0 for choice in q["choices"]
    ),
    "spans_in_order": _in_order,
    "spans_are_the_parts": lambda q: all(
        sorted(span["part"] for span in choice["spans"]) == sorted(choice["parts"]) for choice in q["choices"]
    ),
    "edits_lead_to_choices": _edited,
    "chance_is_of_choices": lambda q: abs(q["chance"] - 1 / len(q["choices"])) < 1e-6,
    "balanced_is_in_a_block": lambda q: q["balanced"] == (q["block_id"] is not None) == (q["group_id"] is not None),
}


def alone(root: str, sample: int) -> dict[str, float]:
    """Seconds for `sample` questions by Great Expectations on pandas."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    import pandas as pd
    from great_expectations.execution_engine import PandasExecutionEngine
    from great_expectations.expectations.expectation import ColumnMapExpectation
    from great_expectations.expectations.metrics import ColumnMapMetricProvider, column_condition_partial

    import partonomy_data

    def expectation(rule: str, keeps: Callable[[Question], bool]) -> type:
        metric = f"column_values.{rule}"

        @column_condition_partial(engine=PandasExecutionEngine)
        def pandas(cls: type, column: Any, **_: Any) -> Any:
            return column.map(keeps)

        type(
            f"Column{rule}",
            (ColumnMapMetricProvider,),
            {"condition_metric_name": metric, "_pandas": pandas, "__module__": __name__},
        )
        name = "Expect" + rule.title().replace("_", "")
        return type(name, (ColumnMapExpectation,), {"map_metric": metric, "__module__": __name__})

    with partonomy_data.open(root) as store:
        n = store.sql("SELECT count(*) FROM questions").fetchall()[0][0]
        rows = store.sql(f"SELECT * FROM questions LIMIT {sample}").to_arrow_table()
    start = time.perf_counter()
    frame = pd.DataFrame({"question": rows.to_pylist()})
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    suite = gx.ExpectationSuite(name="questions")
    for rule, keeps in ALONE.items():
        suite.add_expectation(expectation(rule, keeps)(column="question"))
    batch = context.data_sources.add_pandas("p").add_dataframe_asset("q").add_batch_definition_whole_dataframe("b")
    done = batch.get_batch(batch_parameters={"dataframe": frame}).validate(suite)
    if not done.success:
        raise SystemExit(f"Great Expectations finds what we don't: {done}")
    return {"seconds": time.perf_counter() - start, "sample": len(frame), "questions": n}


def ours(root: str, pages: bool) -> dict[str, float]:
    """All rules; and, apart, the seconds of those that are in ALONE, which one query answers together."""
    import resource

    from partonomy_data.validation.job import validate_published
    from partonomy_data.validation.settings import ValidationSettings

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        came_to, _ = validate_published(Path(root), settings=ValidationSettings(data_docs=pages), folder=Path(folder))
    seconds = time.perf_counter() - start
    if not came_to.success:
        raise SystemExit(came_to.text())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    together = sum(came_to.seconds[f"questions.{rule}"] for rule in ("values_known", *ALONE))
    print(
        *(f"{name} {taken:.1f}" for name, taken in sorted(came_to.seconds.items(), key=lambda one: -one[1])[:8]),
        sep="\n",
    )
    return {"seconds": seconds, "rules": came_to.rules, "MB": peak, "questions": came_to.rows["questions"],
            "parts": came_to.rows["parts"], "together": together}  # fmt: skip


def measure(*arguments: str) -> dict[str, float]:
    """Runs a job in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, *arguments], capture_output=True, text=True, check=False, env=os.environ
    )
    if done.returncode:
        raise SystemExit(done.stderr + done.stdout)
    *told, last = done.stdout.splitlines()
    if told:
        print("the slowest rules, s: " + ", ".join(told))
    return json.loads(last)


def report(folder: Path, fraction: float, sample: int, pages: bool) -> None:
    """Makes the version, measures, prints."""
    annotations = folder / f"paco-{fraction}" / "annotations" / "paco_lvis_v1_train.json"
    if not annotations.exists():
        annotations.parent.mkdir(parents=True, exist_ok=True)
        paco_like.write(annotations, fraction)
    root = folder / f"store-{fraction}"
    build = ["-m", "partonomy_data", "build", "--root", str(root), "--source", f"paco={annotations.parent.parent}"]
    subprocess.run(
        [sys.executable, *build], check=True, capture_output=True, env={**os.environ, "PARTONOMY_DATA_DOCS": "0"}
    )
    mine = measure("--job", "ours", str(root), *(["--pages"] if pages else []))
    theirs = measure("--job", "alone", str(root), "--sample", str(sample))
    n, scale = mine["questions"], mine["questions"] / theirs["sample"]
    print(f"\n{n:,.0f} questions, {mine['parts']:,.0f} parts with masks; {mine['MB']:,.0f} MB at the most")
    print(f"{'':<58}{'seconds':>9}{'questions/s':>13}")
    rows = [
        (f"ours: {mine['rules']:.0f} rules of all tables, and checksums", mine["seconds"]),
        (f"Great Expectations alone: {len(ALONE)} rules, from {theirs['sample']:,.0f} questions", theirs["seconds"] * scale),
        (f"the same {len(ALONE)} rules, and four more, by our query", mine["together"]),
    ]  # fmt: skip
    for name, seconds in rows:
        print(f"{name:<58}{seconds:>9.1f}{n / seconds:>13,.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fraction", type=float, default=1.9, help="of PACO-LVIS train's size")
    parser.add_argument("--sample", type=int, default=5_000, help="questions for Great Expectations alone")
    parser.add_argument("--pages", action="store_true", help="have Great Expectations write its report, too")
    parser.add_argument("--folder", type=Path, help="where the version is made and kept; a temporary one if not given")
    parser.add_argument("--job", choices=("ours", "alone"), help=argparse.SUPPRESS)
    parser.add_argument("root", nargs="?", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        job = ours(options.root, options.pages) if options.job == "ours" else alone(options.root, options.sample)
        print(json.dumps(job))
        return
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        report(folder, options.fraction, options.sample, options.pages)


if __name__ == "__main__":
    main()
