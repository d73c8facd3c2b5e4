"""The language model's part in a build: where it is asked, and what its answers change.

    names           of raw labels that the rules can't settle  → further overrides, below the user's
    relations       between the names of parts                 → `part_relations`
    plausibility    of the parts that questions would rest on  → `plausibility`
    wording         of questions and answers                   → templates beside the standard ones
    paraphrase      of a share of the finished questions       → other words for them, where they pass
    judge           of a sample of finished questions          → a second opinion in the run's folder

Whatever it doesn't answer, or not well, stays as the rules have it. Without a language model nothing here does anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from partonomy_data.config import BuildConfig
from partonomy_data.llm.client import Client
from partonomy_data.llm.ledger import Entry, text
from partonomy_data.llm.session import client
from partonomy_data.pipeline.progress import Progress
from partonomy_data.questions.bank import Proposed
from partonomy_data.sources.base import Plan
from partonomy_data.store import files, parquet
from partonomy_data.taxonomy.overrides import Overrides
from schemas.tables import schema

if TYPE_CHECKING:
    from partonomy_data.questions.admission_paraphrase import Original

#: The file of `llm_calls` in a version.
_CALLS: Final = Path("llm_calls") / "llm_calls.parquet"
#: Tables of categories, and the columns that name them.
_NAMED: Final = {"part_categories": "part_category", "object_categories": "object_category"}


class Model:
    """The language model that a build asks, if it asks any, and what came of it."""

    def __init__(self, asks: Client | None, config: BuildConfig) -> None:
        self._client, self._config = asks, config
        self._reports: dict[str, Any] = {}
        self._review = ""

    def names(self, plans: Mapping[str, Plan], overrides: Overrides) -> Overrides:
        """The user's overrides, and below them names for labels that the rules can't settle."""
        if self._client is None or "names" not in self._config.llm.purposes:
            return overrides
        from partonomy_data.llm.purposes import names

        named = names.propose(self._client, {name: plan.vocabulary for name, plan in plans.items()}, overrides)
        self._reports["names"] = named.report
        return named.overrides

    def taxonomy(self, tables: Mapping[str, pa.Table], overrides: Overrides) -> dict[str, pa.Table]:
        """The taxonomy's tables, with relations and plausibility judged."""
        changed = dict(tables)
        if self._client is None:
            return changed
        from partonomy_data.llm.purposes import embeddings, plausibility, relations

        if "relations" in self._config.llm.purposes:
            model = self._config.llm.embeddings
            similar = embeddings.similar(self._client, model) if model else None
            judged = relations.judged(self._client, changed, overrides, similar)
            changed["part_relations"], self._reports["relations"] = judged
        if "plausibility" in self._config.llm.purposes and self._config.questions.enabled:
            verdicts = plausibility.judged(self._client, changed, self._config.questions.curated_sources)
            changed["plausibility"], self._reports["plausibility"] = verdicts
        return changed

    def templates(self, tables: Mapping[str, pa.Table]) -> tuple[Proposed, ...]:
        """Further templates for questions and answers, none of which has a word of the store's names."""
        wanted = "wording" in self._config.llm.purposes and self._config.questions.enabled
        if self._client is None or not wanted:
            return ()
        from partonomy_data.llm.purposes import wording

        worded = wording.propose(self._client, _names(tables))
        self._reports["wording"] = worded.report
        return worded.templates

    @property
    def rewords(self) -> bool:
        """Whether any of the finished questions are to be worded anew."""
        config = self._config
        return self._client is not None and config.llm.paraphrase > 0 and config.questions.enabled

    def paraphrase(self, staged: Path, templates: Sequence[Proposed]) -> None:
        """Has a share of the staged questions worded anew. `templates` are those that they were worded by."""
        if self._client is None or not self.rewords:
            return
        from partonomy_data.llm.purposes import paraphrase
        from partonomy_data.questions import rewording

        asks, percent = self._client, self._config.llm.paraphrase
        names = _names({table: _staged(staged, table, column) for table, column in _NAMED.items()})
        counts: Counter[str] = Counter(dict.fromkeys(paraphrase.COUNTED, 0))

        def words(originals: Sequence[Original]) -> Sequence[Proposed | None]:
            reworded = paraphrase.propose(asks, originals, names)
            counts.update(reworded.counts)
            return reworded.templates

        n = rewording.reword(staged, percent, self._config.questions.seed, templates, words)
        self._reports["paraphrase"] = paraphrase.Report(percent=percent, questions=n, **counts)

    def review(self, staged: Path) -> Any:
        """A second opinion on a sample of the staged questions, as plain data; None if none is wanted."""
        if self._client is None or not self._config.llm.judge or not self._config.questions.enabled:
            return None
        from partonomy_data.llm.purposes import judge

        settings = self._config.questions
        drawn, objects = judge.sample(staged, self._config.llm.judge, settings.min_part_pixels, settings.seed)
        reviewed = judge.review(self._client, drawn, objects, self._config.llm.judge, settings.seed)
        shares = {name: (one.yes, one.of, one.low, one.high) for name, one in reviewed.agreement.items()}
        self._review = ", ".join(
            f"{name} {yes:,} of {of:,} ({low:.0%} to {high:.0%})" for name, (yes, of, low, high) in shares.items()
        )
        return msgspec.to_builtins(reviewed)

    def book(self, staged: Path) -> None:
        """Writes `llm_calls`: all calls that hold anything that this build asked about, whenever they were made."""
        if self._client is None:
            return
        calls = self._client.calls()
        if (first := next(calls, None)) is not None:
            parquet.write(chain([first], calls), staged / _CALLS, "llm_calls")

    def said(self) -> dict[str, Any] | None:
        """What the manifest says of it: what was asked for and admitted, and what all of its calls came to."""
        if self._client is None:
            return None
        settings = self._config.llm
        return {
            "model": settings.model,
            "endpoint": settings.endpoint,
            "ledger": self._client.account(),
            "reports": msgspec.to_builtins(self._reports),
        }

    def ledger(self) -> dict[str, Entry]:
        """What this run asked, and paid for, by purpose."""
        return self._client.ledger.table() if self._client is not None else {}

    def notes(self) -> list[str]:
        """A line for each purpose: how much of what was asked for the model was believed in, or was of use."""
        lines = []
        for purpose, one in self._reports.items():
            if purpose == "names" and not one.asked:
                continue
            if purpose == "names":
                lines.append(
                    f"names: {one.named:,} of {one.asked:,} labels renamed, {one.unchanged:,} left as they are"
                )
                continue
            if purpose == "wording":
                admitted = sum(one.admitted.values())
                lines.append(f"wording: {admitted:,} of {one.asked:,} templates admitted beside the standard ones")
                continue
            if purpose == "paraphrase":
                lines.append(
                    f"paraphrase: {one.reworded:,} of {one.drawn:,} texts reworded ({one.questions:,} questions); the"
                    " others keep their template's wording"
                )
                continue
            believed = sum(one.judged.values())
            asked = one.candidates if purpose == "relations" else one.pairs
            known = ", ".join(f"{verdict} {score.right} of {score.given}" for verdict, score in one.controls.items())
            lines.append(
                f"{purpose}: {believed:,} of {asked:,} pairs as the model says, the others by rule; where the answer is known"
                f" its verdicts were right: {known}"
            )
        return [*lines, f"judge: {self._review}"] if self._review else lines

    def planned(self) -> str:
        """What it would take to ask all that was to be asked, as text."""
        return text(self.ledger(), planned=True)

    @property
    def capped(self) -> bool:
        """Whether anything was left to the rules because a cap was reached."""
        return self._client is not None and self._client.budget.reached


def _names(tables: Mapping[str, pa.Table]) -> list[str]:
    """What parts and objects are called, from the tables of categories."""
    return [name for table, column in _NAMED.items() for name in tables[table][column].to_pylist()]


def _staged(staged: Path, table: str, column: str) -> pa.Table:
    """A column of a staged table, which is not there if it is empty."""
    empty = schema(table).empty_table().select([column])
    read = (pq.read_table(file, columns=[column], partitioning=None) for file in files.files_under(staged / table))
    return pa.concat_tables([empty, *(one.cast(empty.schema) for one in read)])


@contextmanager
def model(
    root: Path, config: BuildConfig, progress: Progress, *, key: str | None = None, dry: bool = False
) -> Iterator[Model]:
    """The model of a build. With `dry` nothing is sent. `key` is the secret where the caller has it. Raises UsageError."""
    if not config.llm.enabled:
        yield Model(None, config)
        return
    with client(root, config.llm, key=key, dry=dry, told=progress) as asks:
        yield Model(asks, config)
