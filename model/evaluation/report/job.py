"""Reports of predictions in the store, written beside them; and the card of a trained model, in its folder."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model.evaluation import measuring
from model.evaluation.answers import EvaluationError
from model.evaluation.measuring import Measured
from model.evaluation.report import card, examples, gathering, markdown, page
from model.evaluation.report.gathering import Gathered
from partonomy_data.store.files import write_text
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import Store
from partonomy_data.store.reader import open as open_store

_FILE: Final = re.compile(r"predictions-(.+)-(-?\d+)\.parquet")


@dataclass(frozen=True)
class Written:
    """A report."""

    markdown: Path
    page: Path
    text: str
    """The Markdown."""


def write(
    store: Store,
    layout: Layout,
    model_id: str,
    split: str,
    seed: int,
    *,
    measured: Measured | None = None,
    photographs: Mapping[str, str] | None = None,
) -> Written:
    """Writes `report-<split>-<seed>.md` and `.html` beside a model's predictions, and the card of one in the store's `models`.

    Where the model was asked `test` and a split out of the distribution, the gaps are written as well, as rows of `evaluations`.

    Everything is read from the store; `measured` spares measuring again. Raises EvaluationError if there are no predictions.
    """
    said = gathering.gather(store, model_id, split, seed, measured)
    conditioning, shown = examples.examples(store, layout, model_id, split, seed, photographs or {})
    folder = layout.evaluation(model_id, store.version)
    paths = [folder / f"report-{split}-{seed}.{ending}" for ending in ("md", "html")]
    text = markdown.text(said)
    write_text(paths[0], text)
    write_text(paths[1], page.html(said, conditioning, shown))
    for outside in said.gaps:
        measuring.write_rows(gathering.gap_rows(said, outside), folder / f"evaluations-gap-{outside}-{seed}.parquet")
    _write_card(store, layout, said)
    return Written(paths[0], paths[1], text)


def rewrite(folder: Path, photographs: Mapping[str, str] | None = None) -> list[Written]:
    """Measures the predictions in a folder of the store's `evaluations` again, and writes their reports; no model is needed.

    Raises EvaluationError for another folder.
    """
    folder = folder.expanduser().absolute()
    found = sorted(match.groups() for one in folder.glob("*.parquet") if (match := _FILE.fullmatch(one.name)))
    if folder.parent.parent.name != "evaluations" or not found:
        raise EvaluationError(
            "there are no predictions here",
            where=str(folder),
            mend="Name a folder evaluations/MODEL/VERSION of a store",
        )
    layout = Layout(folder.parents[2])
    written = []
    with open_store(layout.root, folder.name) as store:
        for split, seed in found:
            measured = measuring.measure(store, folder.parent.name, split, int(seed))
            measuring.write(measured, folder / f"evaluations-{split}-{seed}.parquet")
            written.append(
                write(store, layout, folder.parent.name, split, int(seed), measured=measured, photographs=photographs)
            )
    return written


def _write_card(store: Store, layout: Layout, said: Gathered) -> None:
    """The card, with the results on all splits that were measured on this version."""
    model = layout.models / said.model_id
    if not (model / "config.json").is_file():
        return
    names = [one.name for one in layout.evaluation(said.model_id, store.version).glob("predictions-*.parquet")]
    splits = {match[1] for name in names if (match := _FILE.fullmatch(name)) and int(match[2]) == said.seed}
    others = [gathering.gather(store, said.model_id, one, said.seed) for one in sorted(splits - {said.split})]
    write_text(model / "README.md", card.text(model, [said, *others], store))
