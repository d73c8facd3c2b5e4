"""A version in the formats of other tools.

coco             objects and parts as COCO JSON with PACO's extensions
coco_queries     its rows, in SQL
coco_attributes  its attributes
llava            questions as LLaVA's conversations
partonomy        questions in the JSON of PARTONOMY's authors
hugging_face     photographs with all that is known of them, for `datasets`
lmms_eval        questions as tasks of lmms-eval
pictures         what a question shows, as a file
photographs      where photographs lie
slices           splits, and questions in slices
streams          rows as they come, written as JSON
folder           the folder that it is all written to
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from partonomy_data.errors import UsageError

#: The formats, as the command line names them.
FORMATS: Final = ("coco", "llava", "partonomy", "hf", "lmms-eval")
#: Memory and processors of DuckDB; what it needs beyond that memory goes to disk.
_MEMORY: Final = "1GB"
_THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export came to."""

    version: str
    out: Path
    files: Mapping[str, int]
    """File, relative to `out` → its annotations (coco), questions (llava, partonomy), photographs (hf), documents (lmms-eval)."""


def write(
    root: str | Path,
    form: str,
    out: Path,
    *,
    version: str | None = None,
    split: str | None = None,
    images: Mapping[str, str] | None = None,
    state: Path | None = None,
    progress: Any = None,
) -> Exported:
    """Writes a version of the store at `root`, the current one by default, to the new folder `out`, whole or not at all.

    `form` is one of FORMATS. `split`: that one only. `images`: folders of photographs by source, where they don't lie where the
    version's build read them. `state`: the state folder of a store on S3. `progress` is told of rows (see pipeline.progress).
    Raises UsageError, one line: an unknown format or split, something at `out`, a photograph that is missing.
    """
    if form not in FORMATS:
        raise UsageError(f"there is no format {form!r}", mend=f"Choose one of {', '.join(FORMATS)}")
    from partonomy_data.export import coco, hugging_face, llava, lmms_eval, partonomy
    from partonomy_data.export.folder import new_folder
    from partonomy_data.photographs import places
    from partonomy_data.store.query import Limits
    from partonomy_data.store.reader import open
    from partonomy_data.store.remote.address import address_of
    from partonomy_data.store.remote.state import default_state

    local = (state or default_state()) if address_of(root) else Path(root)
    found = places.of_store(local, images or {})
    with tempfile.TemporaryDirectory(prefix="partonomy-export-") as spill:
        limits = Limits(memory=_MEMORY, threads=min(_THREADS, os.cpu_count() or 1), spill_to=Path(spill))
        with open(root, version, limits) as store, new_folder(out) as folder:
            if progress is not None:
                progress.stage(f"exporting {form}", _steps(form, store.manifest["tables"]))
            if form == "coco":
                files = coco.write(store, folder, split, progress)
            else:
                writers = {"llava": llava, "partonomy": partonomy, "hf": hugging_face, "lmms-eval": lmms_eval}
                files = writers[form].write(store, folder, split, found, progress)
            return Exported(store.version, out, files)


def _steps(form: str, tables: Mapping[str, int]) -> int:
    """How many rows there are to tell of, at most."""
    return tables["images"] + (tables["objects"] + tables["parts"] if form == "coco" else 0)
