"""Run-length masks straight from a label map, without a dense mask for each."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask


class LabelRuns:
    """The runs of a label map in column order, as COCO's run-length encoding goes."""

    def __init__(self, labels: NDArray[np.uint8]) -> None:
        """`labels` is (h, w)."""
        self.labels = labels
        flat = labels.ravel(order="F")
        self._starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
        self._values = flat[self._starts]
        self._end = flat.size
        self._known: dict[tuple[int, ...], dict[str, object]] = {}

    def _table(self, members: Collection[int]) -> NDArray[np.bool_]:
        table = np.zeros(256, dtype=np.bool_)
        table[list(members)] = True
        return table

    def _encoded(self, members: tuple[int, ...]) -> dict[str, object]:
        """The compressed run lengths as pycocotools holds them, remembered for the next one who asks."""
        if members not in self._known:
            inside = self._table(members)[self._values]
            change = np.flatnonzero(inside[1:] != inside[:-1]) + 1
            bounds = np.concatenate([[0] if inside[0] else [], change]).astype(np.int64)
            edges = np.concatenate([[0], self._starts[bounds], [self._end]])
            height, width = self.labels.shape
            lengths = (edges[1:] - edges[:-1]).tolist()
            self._known[members] = coco_mask.frPyObjects({"size": [height, width], "counts": lengths}, height, width)
        return self._known[members]

    def rle(self, members: tuple[int, ...]) -> dict[str, object]:
        """The pixels whose label is one of `members`, as JSON holds a mask: `{"size": [h, w], "counts": "…"}`."""
        counts = self._encoded(members)["counts"]
        assert isinstance(counts, bytes)
        return {"size": list(self.labels.shape), "counts": counts.decode("ascii")}

    def bitmap(self, members: tuple[int, ...]) -> NDArray[np.bool_]:
        """The same as a dense (h, w) mask."""
        return self._table(members)[self.labels]

    def box(self, members: tuple[int, ...]) -> list[float]:
        """Left, top, width, height of the pixels, in whole pixels; four zeros if there are none."""
        return [float(value) for value in coco_mask.toBbox(self._encoded(members))]
