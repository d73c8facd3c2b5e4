"""PartImageNet: parts of 158 ImageNet classes in 11 super-categories, in both releases and their label maps.

Only parts are annotated. The object is the one that the file name's wnid names, and its mask the union of its parts
or the Seg release's map of the whole object. Format: TACJu/PartImageNet, README.md.

layout       which releases and splits are in a folder
names        wnids, names of classes and parts
pictures     the rows of photographs, or the rules that keep them out
votes        which super-category a class belongs to
coco, label_maps, drawn, photographs, instances, vocabulary     what the files hold, and what is made of it
planning, opening    look at the source once      reading   reads one shard      payload   passes from one to the other
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from partonomy_data.sources.base import Plan, Shard, SourceRequest
from partonomy_data.sources.partimagenet import planning, reading
from partonomy_data.sources.partimagenet.rules import RULES
from partonomy_data.sources.records import Photograph, Rejected


class PartImageNetReader:
    """The reader called `partimagenet`; see `sources.base.Reader`."""

    name = "partimagenet"
    rules = RULES

    def plan(self, request: SourceRequest, work: Path) -> Plan:
        """Finds the splits, names their photographs and classes, and cuts them into shards."""
        return planning.plan(request, work)

    def read(self, shard: Shard) -> Iterator[Photograph | Rejected]:
        """The photographs of one shard, in the order of their ids' hashes."""
        return reading.read(shard)
