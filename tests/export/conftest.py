"""The demo store in each format, written once; and what our own readers make of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from partonomy_data.config import SourceSetting
from partonomy_data.export import Exported, write
from partonomy_data.ingest.shard import ShardJob, ingest
from partonomy_data.pipeline.steps import Workspace, labels_of, name_categories, plan_source
from partonomy_data.sources import listing
from partonomy_data.taxonomy.overrides import overrides
from tests.export.stores import Small, make

Export: TypeAlias = Callable[[str], Exported]
TABLES = ("images", "objects", "parts", "part_evidence", "attributes", "quarantine")


@pytest.fixture(scope="session")
def exported(demo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Export:
    """`exported("coco")`: the demo store in that format."""
    done: dict[str, Exported] = {}

    def one(form: str) -> Exported:
        if form not in done:
            done[form] = write(demo_store, form, tmp_path_factory.mktemp("export") / form)
        return done[form]

    return one


def reread(source: str, path: Path, work: Path, images: Path | None = None) -> dict[str, pa.Table]:
    """The rows that a build makes of a source, by its reader, the names and the shards, without publishing."""
    workspace = Workspace(work)
    setting = SourceSetting(str(path), str(images) if images else None)
    plan = plan_source(source, setting, None, workspace)
    labels = labels_of(source, plan, name_categories({source: plan}, overrides()))
    root, names = plan.images_root, listing.names_digest(plan.images_root)
    found: dict[str, list[pa.Table]] = {name: [] for name in TABLES}
    for shard in plan.shards:
        job = ShardJob(shard, labels, str(root) if root else None, str(workspace.shards), "", names=names)
        folder = workspace.shards / ingest(job).key
        for name in TABLES:
            if (folder / f"{name}.parquet").is_file():
                found[name].append(pq.read_table(folder / f"{name}.parquet"))
    assert not plan.rejected
    return {name: pa.concat_tables(rows) for name, rows in found.items() if rows}


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A small store of hostile names and texts; its second photograph is marked as lying on its side. Read only."""
    uris = ("a/<b>\"'&.jpg", "ünï 部品 [1].jpg", "plain.jpg")
    return make(tmp_path_factory.mktemp("small"), uris)
