"""gIoU and cIoU of a question's masks, by name; and by matchings, for masks that have no names.

The definitions are those of the PARTONOMY paper (arXiv 2505.20759) and of LISA (arXiv 2308.00692), but that a mask that is
missing counts 0, and two empty masks agree in nothing. docs/evaluation.md has them all, with examples.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from model.evaluation.checking import Checked
from model.evaluation.marks import Floats, Marks
from model.evaluation.overlaps import Overlap
from partonomy_data import masks
from partonomy_data.masks import Rle

#: Pixels below which a part is small, or medium, as in COCO; what is larger is large.
SIZES: Final[Mapping[str, int]] = {"small": 32**2, "medium": 96**2}


def hungarian(each: Floats) -> float:
    """Sum of the IoUs of the one-to-one matching that makes it largest; `each` is float64 (P, T)."""
    return float(each[linear_sum_assignment(each, maximize=True)].sum()) if each.size else 0.0


def greedy(each: Floats) -> float:
    """Sum of the IoUs of a one-to-one matching that takes the best pair that is left, again and again."""
    left, total = each.copy(), 0.0
    for _ in range(min(each.shape)):
        row, column = divmod(int(left.argmax()), left.shape[1])
        total += float(left[row, column])
        left[row], left[:, column] = -1.0, -1.0
    return total


def paired(each: Floats) -> float:
    """Sum of the IoUs of the first with the first, the second with the second, and so on."""
    return float(each.diagonal().sum())


#: Matchings of masks without names.
MATCHINGS: Final[Mapping[str, Callable[[Floats], float]]] = {"hungarian": hungarian, "greedy": greedy, "paired": paired}


def united(checked: Checked) -> float:
    """IoU of all predicted masks together with all true ones together."""
    there = [mask for mask in checked.predicted if mask is not None]
    if not there or not checked.true:
        return 0.0
    return float(masks.iou([masks.union(there)], [_all(checked.true)])[0, 0])


def _all(lot: Sequence[Rle]) -> Rle:
    return masks.union(lot)


def by_name(checked: Sequence[Checked], overlaps: Sequence[Overlap]) -> dict[str, Marks]:
    """`giou_micro`, `giou_macro`, `ciou` over true parts; `strict_giou`, `strict_giou_micro` over all that is named.

    strict_giou is the mean over questions of the mean over the names of both sides, where one that is on one side alone
    counts 0, and so does each repetition of a name. A question without true parts has no say, except in the strict ones
    if something was predicted.
    """
    lengths = [len(one.parts) for one in checked]
    n_true = np.array(lengths, np.float64)
    n_all = n_true + np.array([one.surplus for one in overlaps], np.float64)
    # All questions' parts in one row, as NumPy takes far longer for many small sums than for a large one.
    question = np.repeat(np.arange(len(checked)), lengths)
    nothing = [np.zeros(0)]
    total, shared, either = (
        np.bincount(question, np.concatenate([*lot, *nothing]), len(checked)).astype(np.float64)
        for lot in (
            [one.iou for one in overlaps],
            [one.shared for one in overlaps],
            [one.either for one in overlaps],
        )
    )
    return {
        "giou_micro": Marks(total, n_true),
        "giou_macro": _mean(total, n_true),
        "ciou": Marks(shared, either),
        "strict_giou": _mean(total, n_all),
        "strict_giou_micro": Marks(total, n_all),
    }


def matched(
    checked: Sequence[Checked], overlaps: Sequence[Overlap], ways: Sequence[str] = tuple(MATCHINGS)
) -> dict[str, Marks]:
    """`<way>_giou` by each matching: the mean over questions of the matched IoUs' sum over the larger of P and T.

    So a mask too few and a mask too many both cost.
    """
    larger = np.array([max(one.each.shape) for one in overlaps], np.float64)
    return {
        f"{way}_giou": _mean(np.array([MATCHINGS[way](one.each) for one in overlaps], np.float64), larger)
        for way in ways
    }


def in_union(checked: Sequence[Checked]) -> dict[str, Marks]:
    """`union_giou`: the mean over questions of `united`, which asks neither for names nor for the number of masks."""
    total = np.array([united(one) for one in checked], np.float64)
    return {"union_giou": _mean(total, np.array([float(bool(one.true or one.named)) for one in checked]))}


def by_size(checked: Sequence[Checked], overlaps: Sequence[Overlap]) -> dict[str, dict[str, Marks]]:
    """`giou_micro` and `ciou` of the true parts of each size alone: size → metric → marks."""
    lots: dict[str, dict[str, list[tuple[float, float]]]] = {
        size: {"giou_micro": [], "ciou": []} for size in (*SIZES, "large")
    }
    for one, found in zip(checked, overlaps, strict=True):
        kinds = np.searchsorted(list(SIZES.values()), one.true_areas, side="right")
        for kind, metrics in enumerate(lots.values()):
            kept = kinds == kind
            metrics["giou_micro"].append((float(found.iou[kept].sum()), float(kept.sum())))
            metrics["ciou"].append((float(found.shared[kept].sum()), float(found.either[kept].sum())))
    return {size: {name: Marks.of(pairs) for name, pairs in metrics.items()} for size, metrics in lots.items()}


def _mean(total: Floats, count: Floats) -> Marks:
    """The mean within a question as its mark; a question that counts nothing has no say."""
    return Marks(total / np.maximum(count, 1.0), (count > 0).astype(np.float64))
