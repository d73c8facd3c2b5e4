"""How predicted masks of parts agree with true ones, as the column `iou` of the table `predictions` says it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from partonomy_data import masks
from partonomy_data.masks import Rle


def iou_by_part(predicted: Iterable[tuple[str, Rle | None]], true: Mapping[str, Rle]) -> list[dict[str, Any]]:
    """IoU of each part that either side names, sorted by name; 0 where one side alone has it, or its mask can't be used.

    Masks under one name are united first. Names are compared in lower case, and spelled as the true ones are.
    """
    spelled = {name.lower(): name for name in true}
    by_part: dict[str, list[Rle]] = {}
    for part, mask in predicted:
        by_part.setdefault(spelled.get(part.lower(), part.lower()), []).extend([] if mask is None else [mask])
    iou = dict.fromkeys((*true, *by_part), 0.0)
    for name in by_part.keys() & true.keys():
        if by_part[name]:
            iou[name] = float(masks.iou([masks.union(by_part[name])], [true[name]])[0, 0])
    return [{"part": name, "iou": iou[name]} for name in sorted(iou)]
