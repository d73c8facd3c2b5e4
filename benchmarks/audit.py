"""Can the questions be answered blind? All attackers on simulated stores with the data sets' real categories.

    python benchmarks/audit.py [--samples DIR] [--store NAME]… [--photographs N] [--folder DIR] [--reports DIR]

The stores (benchmarks/simulated_store.py) have PARTONOMY's 539 concepts with 2 and with 20 photographs each, PACO's 75
objects with its numbers of objects and photographs, and PartImageNet's classes (109 of its training photographs, and
158). Of each: the share of the bound that balanced questions reach, every attacker against chance on the balanced
questions of the splits that models are measured on, how near the nearest wrong choice is, what a rule could exclude, and
how many answers are true by what is truly visible. Then, in the same run, the same attackers on tables that leak on
purpose (benchmarks/leaky_tables.py): wrong choices edited from the right one, and blocks with other partners for every
question type; they show that the attackers find what there is to be found. `*` marks what is beyond chance.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import simulated_store, simulated_vocabulary

TRAINING = "train"


def make(design_name: str, samples: Path, folder: Path, photographs: int | None) -> Any:
    """Writes the simulated store and its questions to `folder`; what the generator says of them."""
    from partonomy_data.pipeline.workers import pool
    from partonomy_data.questions import QuestionSettings, generate

    design = simulated_vocabulary.REAL[design_name](samples)
    if not (folder / "tables").exists():
        simulated_store.write(design, folder, photographs=photographs)
    for name in ("questions", "question_masks", "splits"):
        shutil.rmtree(folder / "tables" / name, ignore_errors=True)  # of an earlier run
    with tempfile.TemporaryDirectory(dir=folder) as work, pool(None) as executor:
        return generate(folder / "tables", folder / "tables", QuestionSettings(), work=Path(work), executor=executor)


def evaluation_splits(folder: Path) -> list[str]:
    """The splits of a store's questions that models are measured on."""
    found = sorted(path.name.removeprefix("split=") for path in (folder / "tables" / "questions").glob("split=*"))
    return [name for name in found if name != TRAINING]


def coverage(rows: Iterable[Any]) -> list[str]:
    """Lines: by question type, the evaluation splits' instances that can be asked, the bound, and how many are."""
    sums: dict[str, Counter[str]] = {}
    for row in rows:
        if row.split != TRAINING:
            of = {name: getattr(row, name) for name in ("askable", "bound", "balanced")}
            sums.setdefault(row.question_type, Counter()).update(of)
    lines = [f"{'coverage':<18}{'askable':>10}{'bound':>10}{'balanced':>10}{'of bound':>10}{'of askable':>12}"]
    for name, one in sums.items():
        shares = [one["balanced"] / one[of] if one[of] else float("nan") for of in ("bound", "askable")]
        lines.append(
            f"{name:<18}{one['askable']:>10,}{one['bound']:>10,}{one['balanced']:>10,}{shares[0]:>10.0%}{shares[1]:>12.0%}"
        )
    return lines


def truth(folder: Path, splits: Sequence[str]) -> list[str]:
    """Lines: of the questions for all visible parts, how many right choices are true and wrong ones false, by evidence.

    A list is true if it has every part of which 16 pixels or more are to be seen, and none that isn't to be seen.
    """
    import duckdb

    wanted = ", ".join(f"'{name}'" for name in splits)
    found = duckdb.sql(
        f"""
        WITH truth AS (
          SELECT object_id, coalesce(list(part_category) FILTER (pixels >= 16), []) AS must,
                 coalesce(list(part_category) FILTER (pixels > 0), []) AS may
          FROM '{folder}/truth.parquet' GROUP BY ALL),
        judged AS (
          SELECT evidence, question_id, choice.is_correct AS is_right,
                 list_has_all(choice.parts, must) AND list_has_all(may, choice.parts) AS is_true
          FROM (SELECT *, unnest(choices) AS choice FROM read_parquet('{folder}/tables/questions/**/*.parquet')
                WHERE split IN ({wanted})
                  AND question_type IN ('identification', 'part_to_whole', 'whole_to_part'))
          JOIN truth USING (object_id))
        SELECT evidence, count(DISTINCT question_id), avg(is_true::INT) FILTER (is_right),
               avg((NOT is_true)::INT) FILTER (NOT is_right)
        FROM judged GROUP BY ALL ORDER BY ALL DESC
        """
    ).fetchall()
    return [
        f"truth              {evidence}: {n:,} questions for all visible parts; right choices true {right:.1%},"
        f" wrong choices false {wrong:.1%}"
        for evidence, n, right, wrong in found
    ]


def attacked(tables: Path, splits: Sequence[str], name: str, reports: Path | None, quick: bool) -> list[str]:
    """Lines: what the attackers came to on the balanced questions (on all, where none is), and the plain checks."""
    from partonomy_data.questions import audit
    from partonomy_data.questions.audit import render

    settings = audit.AuditSettings(iterations=20, replicates=200) if quick else audit.AuditSettings()
    report = audit.audit(audit.load(tables, splits=list(splits)), settings, source=name)
    if reports:
        audit.write(report, reports / name)
    chosen = "balanced=true" if any(row.slice == "balanced=true" for row in report.rows) else "all"
    whole = [row for row in report.rows if row.slice == "balanced=false" and row.question_type == "all"]
    rest = max((row.n for row in whole if row.turn == "parts"), default=0)
    lines = [*render.compact(report, chosen).splitlines(), "", f"verdict            {render.verdict(report, chosen)}"]
    if rest and chosen != "all":
        lines.append(f"unbalanced         {rest:,} questions, not in the above")
    return [*lines, *render.plain_facts(report)]


def store(
    name: str, samples: Path, folder: Path, photographs: int | None, reports: Path | None, quick: bool
) -> list[str]:
    """All lines on one simulated store."""
    begun = time.perf_counter()
    made = make(name, samples, folder, photographs)
    asked = time.perf_counter() - begun
    splits = evaluation_splits(folder)
    counted = f"{made.n_questions:,} questions in {asked:.0f} s; audited: {', '.join(splits) or 'nothing'}"
    lines = [f"== {name}: {counted}", *coverage(made.coverage)]
    if splits:
        lines += [*truth(folder, splits), "", *attacked(folder / "tables", splits, name, reports, quick)]
    return [*lines, f"({time.perf_counter() - begun:.0f} s)"]


def leaky(folder: Path, reports: Path | None, quick: bool) -> list[str]:
    """All lines on the tables that leak on purpose."""
    from benchmarks import leaky_tables

    world = leaky_tables.world(families=2, per_category=40) if quick else leaky_tables.world()
    lines = []
    for name, tables in (("edited", leaky_tables.edited(world)), ("regrouped", leaky_tables.regrouped(world))):
        leaky_tables.write(tables, folder / name)
        lines += [f"== leaks on purpose: {name}, {tables.questions.num_rows:,} questions"]
        lines += [*attacked(folder / name, (), name, reports, quick), ""]
    return lines


def samples_folder(given: Path | None) -> Path:
    """The folder of the data sets' published lists: as given, else $PARTONOMY_SAMPLES, else `shared/data` beside the checkout."""
    if given is None:
        named = os.environ.get("PARTONOMY_SAMPLES")
        given = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if lacking := simulated_vocabulary.missing(given):
        raise SystemExit(f"{given} has no {lacking[0]}; name the folder of samples by --samples or PARTONOMY_SAMPLES")
    return given


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=Path, help="folder of the data sets' published lists")
    parser.add_argument("--store", choices=[*simulated_vocabulary.REAL, "leaky"], action="append", help="only these")
    parser.add_argument("--photographs", type=int, help="at most so many in a store")
    parser.add_argument("--folder", type=Path, help="where the stores are made and kept; a temporary one if not given")
    parser.add_argument("--reports", type=Path, help="where the audits' reports and pictures are written")
    parser.add_argument("--quick", action="store_true", help="small learned attackers and few bootstrap replicates")
    options = parser.parse_args()
    samples = samples_folder(options.samples)
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in options.store or [*simulated_vocabulary.REAL, "leaky"]:
            if name == "leaky":
                lines = leaky(folder / name, options.reports, options.quick)
            else:
                usual = simulated_vocabulary.REAL[name](samples).photographs
                wanted = min(usual, options.photographs or usual)
                lines = store(name, samples, folder / f"{name}-{wanted}", wanted, options.reports, options.quick)
            print("\n".join(lines), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
