"""Stores to look at: the demo world with the answers of two models, and one whose every name and text is hostile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

import partonomy_data
from partonomy_data import masks
from partonomy_data.explore.application import application
from partonomy_data.store import parquet, publish
from partonomy_data.store.layout import Layout

#: A name that is markup, script, a quote and a template at once.
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}/../&amp;"
MODELS = ("good-one", "other_one")


def answers(store: partonomy_data.Store, model: str, right: bool) -> list[dict[str, Any]]:
    """Rows of `predictions`: the true masks of every test question, or half of each and a wrong choice."""
    rows = store.sql(
        "SELECT q.question_id, q.correct_index, len(q.choices) AS k, list({part: p.part_category, mask: p.mask}) AS named "
        "FROM questions q JOIN question_masks m USING (question_id) JOIN parts p ON list_contains(m.part_ids, p.part_id) "
        "GROUP BY ALL ORDER BY q.question_id LIMIT 60"
    ).fetchall()
    made = []
    for number, (question_id, correct, k, named) in enumerate(rows):
        choice = correct if right or number % 3 == 0 else (correct + 1) % k
        shown = {one["part"]: one["mask"] for one in named}
        drawn = [
            {"part": part, "height": mask["size"][0], "width": mask["size"][1], "counts": mask["counts"], "score": 0.9}
            for part, mask in sorted(shown.items())
        ]
        made.append(
            {"model_id": model, "question_id": question_id, "choice": choice, "correct": choice == correct}
            | {"scores": [0.5] * k, "text": "A wing.", "spans": [{"start": 2, "end": 6, "part": "wing"}]}
            | {"masks": drawn[: len(drawn) if right else 1], "conditioning": "oracle", "seed": 0}
            | {"iou": [{"part": one["part"], "iou": 1.0 if right else 0.5} for one in drawn]}
        )
    return made


def write_answers(root: Path) -> None:
    """Predictions and evaluations of two models on the current version of the store in `root`."""
    with partonomy_data.open(root) as store:
        for model, right in zip(MODELS, (True, False), strict=True):
            folder = Layout(root).evaluation(model, store.version)
            folder.mkdir(parents=True)
            rows = answers(store, model, right)
            table = pa.Table.from_pylist(rows, schema=parquet.written_schema("predictions"))
            parquet.write(table, folder / "predictions-test-0.parquet", "predictions")
            metric = {
                "model_id": model,
                "version": store.version,
                "split": "test",
                "question_type": "all",
                "slice": "all",
            }
            metric |= {"metric": "accuracy", "value": 0.75 if right else 0.25, "low": 0.2, "high": 0.8, "n": 60}
            metrics = pa.Table.from_pylist([metric | {"n_skipped": 0}], schema=parquet.written_schema("evaluations"))
            parquet.write(metrics, folder / "evaluations-test-0.parquet", "evaluations")


@pytest.fixture(scope="session")
def world(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demo store, with the answers of two models."""
    root = tmp_path_factory.mktemp("explored") / "world"
    shutil.copytree(demo_store, root, ignore=shutil.ignore_patterns("work"))
    write_answers(root)
    return root


@pytest.fixture(scope="session")
def client(world: Path) -> Iterator[TestClient]:
    """The explorer of `world`, its current version at `/`."""
    with TestClient(application(world), base_url="http://localhost") as made:
        yield made


@pytest.fixture(scope="session")
def base(client: TestClient) -> str:
    """The address of the current version: `/v/<version>/`."""
    return client.get("/", follow_redirects=True).url.path


def publish_rows(root: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Publishes a store of some rows, and returns its version."""
    staged = Layout(root).work / "staged"
    for name, listed in rows.items():
        table = pa.Table.from_pylist(list(listed), schema=parquet.written_schema(name))
        parquet.write(table, staged / name / "0.parquet", name)
    return publish(root, staged, {"inputs": {}, "counts": {}}, readme="").version


def hostile_rows(name: str = HOSTILE, uri: str | None = "0.jpg") -> dict[str, list[dict[str, Any]]]:
    """A photograph of which every name, text and path is `name`."""
    from partonomy_data.ids import image_prefix

    image_id = f"paco/{name}"
    prefix = image_prefix(image_id)
    bitmap = np.zeros((40, 60), np.uint8)
    bitmap[5:20, 10:40] = 1
    mask = masks.to_json(masks.from_bitmap(bitmap))
    place = {"image_id": image_id, "source": "paco"}
    thing = {"object_id": f"obj_{prefix}0000000000", **place, "source_category": name, "bbox": [10.0, 5.0, 30.0, 15.0]}
    thing |= {"area": 450, "mask": mask, "source_key": name}
    span = {"start": 2, "end": 2 + len(name), "part": name}
    choice = {"text": f"a {name}", "parts": [name], "spans": [span], "is_correct": True}
    choice["edits"] = [{"op": "replace", "part": name, "replacement": name}]
    question_id = "qst_" + "0" * 22
    asked = {"question_id": question_id, **place, "object_id": thing["object_id"], "split": "train"}
    asked |= {"question_type": "identification", "names_object": True, "contrast_categories": [name], "question": name}
    asked |= {"choices": [choice, choice | {"is_correct": False}], "correct_index": 0, "referent": "unique"}
    asked |= {"block_id": "b", "balanced": True, "chance": 0.5, "evidence": "verified", "wording": name}
    asked |= {"generator_version": "1", "object_question": name, "correct_object_index": 0, "object_balanced": True}
    asked["object_choices"] = [{"text": name, "object_category": name, "is_correct": True}]
    graph = {"object_category": name, "part_category": name, "n_objects": 1, "n_with_part": 1, "frequency": 1.0}
    part = thing | {"part_id": f"prt_{prefix}0000000000", "part_category": name, "match_method": "linked", "side": name}
    return {
        "images": [place | {"source_split": name, "uri": uri, "file_name": name, "width": 60, "height": 40, "license": name}
                   | {"photograph": image_id}],
        "objects": [thing | {"object_category": name, "mask_origin": "annotated", "merged": False, "n_parts": 1}],
        "parts": [part],
        "object_categories": [{"object_category": name, "supercategory": name, "sources": ["paco"], "n_objects": 1}
                              | {"source_categories": [name], "n_images": 1}],
        "part_categories": [{"part_category": name, "sources": ["paco"], "n_parts": 1, "n_object_categories": 1}],
        "part_graph": [graph | {"sources": ["paco"], "evidence": "annotated"}],
        "category_graph": [{"child": name, "parent": f"{name}s", "source": "paco"}],
        "part_relations": [{"part_a": name, "part_b": f"{name}2", "relation": "same", "method": "llm", "confidence": 0.5}],
        "attributes": [{"annotation_id": part["part_id"], "attribute_type": "color", "attribute": name, "source": "paco"}],
        "splits": [place | {"cluster": "pho_0", "split": "train", "reason": "keyed", "held_out": name}],
        "questions": [asked, asked | {"question_id": question_id[:-1] + "1", "correct_index": 1}],
        "question_masks": [{"question_id": question_id, "part_category": name, "phrase": f"{name}!"}
                           | {"part_ids": [part["part_id"]]}],
        "quarantine": [{"table_name": "parts", "row_id": image_id, "source": "paco", "rule": "mask_missing", "reason": name}
                       | {"row": name}],
    }  # fmt: skip
