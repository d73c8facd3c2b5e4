"""PACO (Parts and Attributes of Common Objects): paco_lvis_v1_*.json and paco_ego4d_v1_*.json.

Objects are LVIS polygons (or a box only), parts are compressed run-length masks, each linked to its object by
`obj_ann_id`; attributes and LVIS's federated negative labels come along. Format: facebookresearch/paco,
docs/PACO_DATASET.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from partonomy_data.sources.base import Plan, Shard, SourceRequest
from partonomy_data.sources.paco import planning, reading
from partonomy_data.sources.paco.rules import RULES
from partonomy_data.sources.records import Photograph, Rejected


class PacoReader:
    """The reader called `paco`; see `sources.base.Reader`."""

    name = "paco"
    rules = RULES

    def annotation_files(self, request: SourceRequest) -> list[Path]:
        """See `sources.base.OfFiles`."""
        return planning.annotation_files(request.path)

    def plan(self, request: SourceRequest, work: Path) -> Plan:
        """Finds the annotation files, checks them, and splits them by photograph."""
        return planning.plan(request, work)

    def read(self, shard: Shard) -> Iterator[Photograph | Rejected]:
        """The photographs of one shard, by image_id within each file."""
        return reading.read(shard)
