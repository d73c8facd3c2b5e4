"""The verdicts of a table's rules as a frame: what Great Expectations is given to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from partonomy_data.validation.running import Outcome
from partonomy_data.validation.suites import VERSION

if TYPE_CHECKING:
    import pandas as pd

#: The column with the names of rows.
ROW = "row"


def frame(table: str, outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """One row for each row of the table that was judged: a bool column for each rule, and `row` (Arrow string).

    Where some row breaks a rule, it has all rows of the table, as their share is told, and those that were not judged keep it.
    The rows that break a rule come first, in order, with their names; the others, which keep all rules, have none, so the
    table itself is not read. Of `version` there are the units that break a rule and, true, the version. Should rules name
    more rows than were counted (of a damaged file), the frame has them all. Rules that all rows keep share one read-only
    array: the frame takes at most a byte for each flag.
    """
    import pandas as pd

    mine = [one for one in outcomes if one.table == table]
    broken = _broken(mine)
    rows = [one.checked if one.judged is None or len(broken) else one.judged for one in mine]
    n = len(broken) + 1 if table == VERSION else max([len(broken), *rows])
    kept = np.ones(n, bool)
    kept.flags.writeable = False
    columns: dict[str, object] = {}
    for one in mine:
        flags = kept
        if one.failed:
            flags = kept.copy()
            flags[pc.index_in(one.found["row"], value_set=broken).to_numpy()] = False
        columns[one.rule] = flags
    rest = [VERSION] if table == VERSION else pa.nulls(n - len(broken), pa.string())
    names = pa.chunked_array([broken, rest], pa.string())
    columns[ROW] = pd.Series(pd.arrays.ArrowExtensionArray(names))
    return pd.DataFrame(columns, copy=False)


def _broken(outcomes: Sequence[Outcome]) -> pa.Array:
    """The names of the rows that break any rule, each once, in order."""
    chunks = [chunk for one in outcomes for chunk in one.found["row"].chunks]
    names = pa.chunked_array(chunks, pa.string()).unique()
    return names.take(pc.sort_indices(names))
