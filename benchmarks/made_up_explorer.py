"""A store of any size for the explorer: made-up parts, objects and photographs, and questions of the usual length."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from benchmarks import queries
from partonomy_data.ids import image_prefix
from partonomy_data.store import parquet, publish

SPLITS = {"train": 0.8, "val": 0.1, "test": 0.1}
TYPES = ("identification", "intersection", "difference", "contrast", "part_to_whole", "whole_to_part")
PHOTOGRAPHS_ON_DISK = 400
PER_BATCH = 100_000


def make(root: Path, *, n_questions: int, n_parts: int) -> dict[str, int]:
    """Publishes such a store in `root`, and returns the number of rows by table."""
    queries.PARTS, queries.PHOTOGRAPHS = n_parts, max(100, n_parts // 12)
    queries.MASKS = min(100_000, n_parts)
    tables = queries.made_up()
    staged = root / "work" / "staged"
    for name, rows in (tables | _names(tables) | _photographs(root, tables)).items():
        parquet.write(_by_prefix(rows, name), staged / name / "0.parquet", name)
    n_masks = 0
    for number, (split, share) in enumerate(SPLITS.items()):
        made = _Questions(tables["objects"], split, int(n_questions * share), number)
        folder = f"split={split}/source=paco"
        parquet.write(made.questions(), staged / "questions" / folder / "0.parquet", "questions")
        n_masks += parquet.write(made.masks(), staged / "question_masks" / folder / "0.parquet", "question_masks")
    publish(root, staged, {"inputs": {}, "counts": {}, "config": {}}, readme="")
    return {"questions": n_questions, "question_masks": n_masks} | {
        name: rows.num_rows for name, rows in tables.items()
    }


def _by_prefix(rows: pa.Table, name: str) -> pa.Table:
    return rows.sort_by(f"{name[:-1]}_id") if name in ("parts", "objects") else rows


def _names(tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    objects = (
        tables["objects"]
        .group_by("object_category")
        .aggregate([("object_id", "count"), ("image_id", "count_distinct")])
    )
    parts = tables["parts"].group_by("part_category").aggregate([("part_id", "count")])
    return {
        "object_categories": pa.table(
            {
                "object_category": objects["object_category"], "sources": [["paco"]] * objects.num_rows,
                "source_categories": [["paco:x"]] * objects.num_rows, "n_objects": objects["object_id_count"],
                "n_images": objects["image_id_count_distinct"],
            }
        ).sort_by("object_category"),
        "part_categories": pa.table(
            {
                "part_category": parts["part_category"], "sources": [["paco"]] * parts.num_rows,
                "n_parts": parts["part_id_count"], "n_object_categories": np.full(parts.num_rows, 9),
            }
        ).sort_by("part_category"),
    }  # fmt: skip


def _photographs(root: Path, tables: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """Photographs of which some hundred are on disk, each standing for many."""
    folder = root / "photographs"
    folder.mkdir(parents=True)
    generator = np.random.default_rng(5)
    for number in range(PHOTOGRAPHS_ON_DISK):
        coarse = generator.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC).save(folder / f"{number}.jpg", quality=88)
    run = root / "runs" / "20260101T000000Z-000000"
    run.mkdir(parents=True)
    sources = {name: {"path": str(folder)} for name in queries.SOURCES}
    (run / "run.json").write_text(json.dumps({"config": {"sources": sources}}))
    image_id = np.unique(np.array(tables["objects"]["image_id"].to_pylist()))
    image_id = image_id[np.argsort([image_prefix(one) for one in image_id.tolist()], kind="stable")]
    n = len(image_id)
    source = [one.split("/")[0] for one in image_id.tolist()]
    uri = [f"{number % PHOTOGRAPHS_ON_DISK}.jpg" for number in range(n)]
    split = generator.choice(list(SPLITS), n, p=list(SPLITS.values()))
    images = {
        "image_id": image_id, "source": source, "source_split": ["train"] * n, "uri": uri,
        "file_name": uri, "width": np.full(n, 640, np.int32),
        "height": np.full(n, 480, np.int32), "photograph": image_id,
    }  # fmt: skip
    splits = {"image_id": image_id, "source": source, "cluster": image_id, "split": split, "reason": ["keyed"] * n}
    return {"images": pa.table(images), "splits": pa.table(splits)}


class _Questions:
    """The questions of one split, in batches, sorted by id: four are asked together."""

    def __init__(self, objects: pa.Table, split: str, n: int, seed: int) -> None:
        self.objects, self.split, self.n, self.seed = objects, split, n, seed
        self.pool = _choices(2000, seed)

    def _ids(self, first: int, n: int) -> np.ndarray:
        """Ascending ids: the units of all splits are spread over the whole range."""
        place = np.arange(first, first + n)
        unit = (place // 4).astype(np.uint64) * np.uint64((1 << 47) // max(1, self.n // 4)) + np.uint64(self.seed)
        return np.char.add(np.char.add("qst_", np.char.mod("%012x", unit)), np.char.mod("%010x", place % 4))

    def questions(self) -> Iterator[pa.RecordBatch]:
        """Rows of `questions`."""
        for first in range(0, self.n, PER_BATCH):
            n = min(PER_BATCH, self.n - first)
            generator = np.random.default_rng((self.seed, first))
            chosen = self.objects.take(pa.array(generator.integers(0, self.objects.num_rows, n)))
            kind = generator.integers(0, len(TYPES), n)
            named = chosen["object_category"].to_pylist()
            text = [f"Which parts of the {one} in the image can be clearly seen, and no others?" for one in named]
            rows = pa.table(
                {
                    "question_id": self._ids(first, n), "image_id": chosen["image_id"], "object_id": chosen["object_id"],
                    "source": ["paco"] * n, "split": [self.split] * n, "question_type": np.array(TYPES)[kind],
                    "names_object": np.full(n, True), "contrast_categories": [[]] * n, "question": text,
                    "choices": self.pool.take(pa.array(generator.integers(0, len(self.pool), n))),
                    "correct_index": np.zeros(n, np.int16), "referent": ["unique"] * n,
                    "block_id": np.char.mod("blk_%d", np.arange(first, first + n) // 4),
                    "balanced": generator.random(n) < 0.5, "chance": np.full(n, 0.2, np.float32),
                    "evidence": np.where(generator.random(n) < 0.3, "verified", "unverified"), "wording": ["made up"] * n,
                    "generator_version": ["benchmark"] * n,
                }
            )  # fmt: skip
            yield from parquet.conformed(rows, "questions").to_batches()

    def masks(self) -> Iterator[pa.RecordBatch]:
        """Rows of `question_masks`: three for each question."""
        for first in range(0, self.n, PER_BATCH):
            n = min(PER_BATCH, self.n - first)
            generator = np.random.default_rng((self.seed, first, 1))
            part = np.char.mod("part %d", np.sort(generator.integers(0, 400, (n, 3)), axis=1).ravel())
            rows = pa.table(
                {
                    "question_id": np.repeat(self._ids(first, n), 3), "part_category": part, "phrase": part,
                    "part_ids": [["prt_0"]] * (3 * n),
                }
            )  # fmt: skip
            yield from parquet.conformed(rows, "question_masks").to_batches()


def _choices(n: int, seed: int) -> pa.Array:
    """Choices of n questions: five lists of three to seven parts, with their spans."""
    generator = np.random.default_rng((seed, 7))
    pool = []
    for _ in range(n):
        listed = []
        for number in range(5):
            names = [f"part {one}" for one in np.unique(generator.integers(0, 400, generator.integers(3, 8)))]
            text, spans = "These can be seen: ", []
            for name in names:
                spans.append({"start": len(text), "end": len(text) + len(name), "part": name})
                text += f"{name}, "
            edits = [{"op": "delete", "part": names[0], "replacement": None}] if number else []
            listed.append({"text": text, "parts": names, "spans": spans, "is_correct": number == 0, "edits": edits})
        pool.append(listed)
    return pa.array(pool, parquet.written_schema("questions").field("choices").type)
