"""The rows of a shard's photographs again, where nothing of the shard has changed but what some of their files hold.

A photograph's bytes decide on two columns of its row, its digest and its looks, as long as it can be used as it could before.
Nothing else is made of them: masks, boxes and evidence follow from the annotations. So one photograph that was saved anew
doesn't have its shard read again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from partonomy_data.ingest.seen import Seen
from partonomy_data.photographs import inspecting
from partonomy_data.sources.records import Photograph


def images(path: Path, root: Path, before: Sequence[Seen], now: Sequence[Seen]) -> pa.Table | None:
    """The table `images` that is stored at `path`, with the files below `root` as they are `now` and not as they were `before`.

    None if more than their digests and looks would be another: then the shard must be read. Both have the same files.
    """
    times = Counter(one.path for one in now)
    changed = {new.path: (old, new) for old, new in zip(before, now, strict=True) if old.sha256 != new.sha256}
    if not path.is_file() or any(times[name] > 1 for name in changed):
        return None
    table = pq.read_table(path, partitioning=None)
    rows = {uri: row for row, uri in enumerate(table["uri"].to_pylist()) if uri in changed}
    digests, looks = table["sha256"].to_pylist(), table["phash"].to_pylist()
    if len(rows) != len(changed):
        return None  # one of them is in quarantine
    for uri, row in rows.items():
        old, new = changed[uri]
        found = _inspected(table.slice(row, 1).to_pylist()[0], root, uri)
        if digests[row] != old.sha256 or found is None or found.sha256 != new.sha256:
            return None
        digests[row], looks[row] = found.sha256, found.phash
    for name, values in (("sha256", digests), ("phash", looks)):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(name), pa.array(values, table.schema.field(name).type))
    return table


def _inspected(row: dict[str, object], root: Path, uri: str) -> inspecting.Inspection | None:
    """What a photograph's file is; None if its row would be another, or none, in more than digest and looks."""
    width, height = row["width"], row["height"]
    assert isinstance(width, int)
    assert isinstance(height, int)
    photograph = Photograph(image_id="", file_name="", width=width, height=height, path=uri)
    found = inspecting.inspect(root, photograph)
    repairs = row["repairs"]
    assert isinstance(repairs, list)
    upright = row["exif_orientation"] == 1 and found.orientation == 1  # else it matters how the masks were made
    same = found.rule is None and set(found.notes) == {"extension_lies"}.intersection(repairs)
    return found if upright and same else None
