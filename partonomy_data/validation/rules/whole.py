"""The version as a whole: its files, what its manifest counts, and what changed since the version before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pyarrow as pa

from partonomy_data.validation.rules import counts, drift, files
from partonomy_data.validation.subject import Subject

CHECKS: Final[Mapping[str, Mapping[str, Callable[[Subject], pa.Table]]]] = {
    "version": {
        "files_readable": files.files_readable,
        "files_belong": files.files_belong,
        "files_as_listed": files.files_as_listed,
        "rows_in_their_place": files.rows_in_their_place,
        "numbers_finite": files.numbers_finite,
        "files_sorted": files.files_sorted,
        "shards_complete": counts.shards_complete,
        "counts_conserved": counts.counts_conserved,
        "quarantine_counted": counts.quarantine_counted,
        "repairs_counted": counts.repairs_counted,
        "questions_counted": counts.questions_counted,
        **drift.CHECKS,
    }
}
