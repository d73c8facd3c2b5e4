"""A version's questions with their masks, joined once into a memory-mapped Arrow file.

Training looks at samples in an order of its own, which Parquet is not made for. So the join that a sample needs (question, masks
of its parts, photograph) is done once, by DuckDB in bounded memory, for all samples; a row is then read where it lies, and only
the pages that hold it are in memory. Five million questions take some 5 GB of disk.

A question of two turns gives two samples: its first turn, and its second after the true first. Other data in the mixture
(`model.data.others`) have files of their own, whose rows follow.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from model.data import others
from model.data.selection import TYPES, DataConfig
from model.plum.errors import ModelError
from partonomy_data.store.reader import Store

#: Raise it when the query below changes: files made by another are made anew.
FORMAT: Final = 2
ROWS_PER_BATCH: Final = 1024

_SAMPLES: Final = """
WITH wanted AS (
    SELECT * FROM questions WHERE list_contains($splits, split)
        AND (len($types) = 0 OR list_contains($types, question_type))
        AND (len($sources) = 0 OR list_contains($sources, source))),
masks AS (
    SELECT m.question_id, m.part_category, list(p.mask.counts ORDER BY p.part_id) AS counts
    FROM (SELECT question_id, part_category, unnest(part_ids) AS part_id FROM question_masks
        SEMI JOIN wanted USING (question_id)) m JOIN parts p USING (part_id) GROUP BY ALL),
named AS (SELECT question_id, list(struct_pack(part := part_category, counts := counts) ORDER BY part_category) AS masks
    FROM masks GROUP BY ALL),
asked AS (
    SELECT q.*, choices[correct_index + 1] AS correct, object_choices[correct_object_index + 1].text AS true_object,
        question_type IN ('part_to_whole', 'whole_to_part') AS two FROM wanted q),
turns AS (
    SELECT *, 'parts' AS turn, question AS prompt, correct.text AS answer, correct.spans AS spans,
        list_transform(choices, lambda c: c.text) AS texts, correct_index AS correct_text,
        list_transform(choices, lambda c: c.spans) AS texts_spans,
        CASE WHEN question_type = 'whole_to_part' THEN object_question END AS earlier_question,
        CASE WHEN question_type = 'whole_to_part' THEN true_object END AS earlier_answer FROM asked
    UNION ALL
    SELECT *, 'object', object_question, true_object, [], list_transform(object_choices, lambda c: c.text),
        correct_object_index, [], CASE WHEN question_type = 'part_to_whole' THEN question END,
        CASE WHEN question_type = 'part_to_whole' THEN correct.text END FROM asked WHERE two)
SELECT t.question_id || '/' || t.turn AS sample_id, t.question_id, t.image_id, t.source, t.question_type, t.turn, i.uri,
    i.sha256, i.width, i.height, list_contains(i.repairs, 'exif_transposed') AS transposed, t.referent, t.region,
    t.earlier_question, t.earlier_answer, t.prompt, t.answer, t.spans, t.texts, t.texts_spans, t.correct_text,
    CASE WHEN t.turn = 'parts' THEN coalesce(n.masks, []) ELSE [] END AS masks,
    md5(concat_ws('|', t.image_id, t.referent, t.region::VARCHAR)) AS view,
    length(concat(t.earlier_question, t.earlier_answer, t.prompt, t.answer)) AS characters
FROM turns t JOIN images i USING (image_id) LEFT JOIN named n USING (question_id)
ORDER BY t.question_id, t.turn
"""


class Rows:
    """The samples of a selection, in files that are mapped into memory. Can be opened by many processes."""

    def __init__(self, paths: Sequence[Path], left_out: Sequence[str] = ()) -> None:
        """`left_out`: what of other data is not among them, a line for each reason."""
        self.paths, self.left_out = tuple(paths), tuple(left_out)
        self._batches: list[pa.RecordBatch] = []
        for path in paths:
            with pa.memory_map(str(path)) as source:
                reader = pa.ipc.open_file(source)
                self._batches += [reader.get_batch(number) for number in range(reader.num_record_batches)]
        self._ends = np.cumsum([batch.num_rows for batch in self._batches])

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, number: int) -> dict[str, object]:
        """A row as plain values."""
        of = int(np.searchsorted(self._ends, number, side="right"))
        first = int(self._ends[of - 1]) if of else 0
        row: dict[str, object] = self._batches[of].slice(number - first, 1).to_pylist()[0]
        return row

    def column(self, name: str) -> pa.ChunkedArray:
        """A column of all rows."""
        return pa.chunked_array([batch[name] for batch in self._batches])

    def uris(self) -> dict[str, str]:
        """Source → the `uri` of one of its photographs, the first: by that the source's folder is known."""
        found: dict[str, str] = {}
        for source, uri in zip(self.column("source").to_pylist(), self.column("uri").to_pylist(), strict=True):
            found.setdefault(source, uri)
        return found

    def views(self) -> NDArray[np.int64]:
        """int64 (n,): samples with equal numbers look at the same view of the same photograph."""
        # Numbered as they come, so that the numbers depend on the rows alone.
        encoded = self.column("view").combine_chunks().dictionary_encode()
        return np.asarray(encoded.indices, np.int64)

    def lengths(self) -> NDArray[np.int64]:
        """int64 (n,): characters of each sample's texts."""
        return np.asarray(self.column("characters").combine_chunks(), np.int64)

    def work(self) -> NDArray[np.float64]:
        """float64 (n,): about how much there is to do for each sample: texts and masks, each in parts of its mean."""
        # File by file: a list of spans has another type in other data than in the store's.
        counted = [pc.list_value_length(batch["spans"]).fill_null(0) for batch in self._batches]
        masks = np.concatenate([np.zeros(0), *(np.asarray(one, np.float64) for one in counted)])
        texts = self.lengths().astype(np.float64)
        work: NDArray[np.float64] = texts / max(float(texts.mean()), 1e-9) + masks / max(float(masks.mean()), 1e-9)
        return work


def prepare(store: Store, config: DataConfig, folder: Path) -> Rows:
    """The rows of a selection of the store's version, and of other data, from `folder` if they were made before.

    Written aside and renamed, so that a file that is there is whole. Raises ModelError if nothing is selected.
    """
    types = sorted(kind for kind, weight in config.types.items() if weight > 0)
    chosen = {
        "splits": list(config.splits),
        "types": [kind for kind in types if kind in TYPES],
        "sources": list(config.sources),
    }
    paths = []
    if chosen["types"] or not types:
        paths.append(_of_store(store, {"format": FORMAT, "version": store.version, **chosen}, folder))
    wanted = {name: one for name, one in sorted(config.others.items()) if not types or name in types}
    read = {name: others.prepare(name, one, folder) for name, one in wanted.items()}
    left_out = [f"{name}: {line}" for name, one in read.items() for line in one.left_out]
    rows = Rows([*paths, *(one.path for one in read.values())], left_out)
    if not len(rows):
        told = [f"{name} {', '.join(values)}" for name, values in chosen.items() if values]
        raise ModelError(
            f"version {store.version} has no questions of {' and '.join(told)}",
            mend="Choose other splits, types or sources",
        )
    return rows


def _of_store(store: Store, key: dict[str, object], folder: Path) -> Path:
    path = folder / f"{hashlib.sha256(repr(sorted(key.items())).encode()).hexdigest()[:24]}.arrow"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _write(store, key, path)
    return path


def _write(store: Store, key: dict[str, object], path: Path) -> None:
    parameters = {name: key[name] for name in ("splits", "types", "sources")}
    reader = store.sql(_SAMPLES, parameters).to_arrow_reader(ROWS_PER_BATCH)
    aside = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with aside.open("wb") as file:
            with pa.ipc.new_file(file, reader.schema) as writer:
                for batch in reader:
                    writer.write_batch(batch)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
