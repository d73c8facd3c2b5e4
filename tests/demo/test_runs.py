"""Run-length masks from a label map equal those that pycocotools makes of dense masks."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from partonomy_data.demo.runs import LabelRuns

MAPS = arrays.arrays(
    np.uint8,
    arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14),
    elements=st.integers(0, 4),
)


@given(MAPS, st.sets(st.integers(1, 4), min_size=1))
@settings(deadline=None)
def test_masks_equal_those_of_pycocotools(labels: NDArray[np.uint8], members: set[int]) -> None:
    runs, wanted = LabelRuns(labels), tuple(sorted(members))
    bitmap = np.isin(labels, wanted)
    encoded = coco_mask.encode(np.asfortranarray(bitmap.astype(np.uint8)))
    np.testing.assert_array_equal(runs.bitmap(wanted), bitmap)
    assert runs.rle(wanted) == {"size": list(labels.shape), "counts": encoded["counts"].decode()}
    assert runs.box(wanted) == coco_mask.toBbox(encoded).tolist()
