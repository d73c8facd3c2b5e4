"""Masks: checking and measuring, drawing polygons, containment; each beside pycocotools alone and beside dense masks.

    python benchmarks/masks.py

The masks are wobbly outlines of the sizes that parts have, in photographs of 640 x 480 and 480 x 640. All ways take the same
masks in the same run, in turns; the best of five turns counts. Their results are compared before the table is printed.
"""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable, Sequence

import numpy as np
from pycocotools import mask as coco_mask

from partonomy_data import masks
from partonomy_data.masks.polygons import draw

RUN_LENGTH_MASKS, POLYGONS, PHOTOGRAPHS, DENSE_SAMPLE, TURNS = 20_000, 4_000, 300, 400, 5
#: pycocotools' `area` overflows above this under NumPy 2.
MOST_AT_ONCE = 255

Size = tuple[int, int]


def outline(generator: np.random.Generator, size: Size, points: int) -> list[float]:
    """A wobbly ring of x, y, x, y, …, somewhere in the photograph, of a part's size."""
    height, width = size
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    radius = 1 + 0.25 * np.sin(3 * angle + generator.uniform(0, 6)) + generator.normal(0, 0.05, points)
    radius *= generator.lognormal(3.6, 0.5)
    x = np.clip(generator.uniform(0, width) + radius * np.cos(angle), 0, width)
    y = np.clip(generator.uniform(0, height) + radius * np.sin(angle), 0, height)
    ring: list[float] = np.stack([x, y], axis=1).round(2).ravel().tolist()
    return ring


def polygons(n: int, seed: int) -> tuple[list[list[list[float]]], list[Size]]:
    """n polygons, one in ten of two rings, and the sizes of their photographs."""
    generator = np.random.default_rng(seed)
    sizes = [(480, 640) if generator.random() < 0.67 else (640, 480) for _ in range(n)]
    return [
        [outline(generator, size, 24) for _ in range(2 if generator.random() < 0.1 else 1)] for size in sizes
    ], sizes


def draw_by_pycocotools(rings: list[list[float]], size: Size) -> bytes:
    """The counts of a polygon, as COCO's own code draws it."""
    drawn = coco_mask.frPyObjects(rings, *size)
    counts: bytes = coco_mask.merge(drawn)["counts"] if len(drawn) > 1 else drawn[0]["counts"]
    return counts


def best(n: int, ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Items per second of each way to do n items, at its best of several turns."""
    seconds = dict.fromkeys(ways, float("inf"))
    for _ in range(TURNS):
        for name, way in ways.items():
            gc.collect()
            start = time.perf_counter()
            way()
            seconds[name] = min(seconds[name], time.perf_counter() - start)
    return {name: n / taken for name, taken in seconds.items()}


def table(title: str, baseline: str, rates: dict[str, float]) -> None:
    """Prints rates, and how many times faster each is than the baseline."""
    print(f"\n{title}")
    for name, rate in rates.items():
        print(f"  {name:<58}{rate:>12,.0f}/s{rate / rates[baseline]:>9.2f} x")


def dense_area_and_box(counts: bytes, size: Size) -> tuple[int, list[int]]:
    """Area and xywh of a mask by way of its pixels."""
    bitmap = coco_mask.decode({"size": list(size), "counts": counts})
    x, y = np.flatnonzero(bitmap.any(axis=0)), np.flatnonzero(bitmap.any(axis=1))
    return int(bitmap.sum()), [int(x[0]), int(y[0]), int(x[-1] - x[0]) + 1, int(y[-1] - y[0]) + 1]


def measuring() -> None:
    rings, some_sizes = polygons(RUN_LENGTH_MASKS // 10, seed=1)
    some = [draw_by_pycocotools(*polygon) for polygon in zip(rings, some_sizes, strict=True)]
    counts, sizes = some * 10, some_sizes * 10
    heights, widths = np.array([size[0] for size in sizes]), np.array([size[1] for size in sizes])
    texts = [masks.RleJson(list(size), text.decode()) for text, size in zip(counts, sizes, strict=True)]
    coco = [{"size": list(size), "counts": text.decode()} for text, size in zip(counts, sizes, strict=True)]

    def by_pycocotools(of: Sequence[dict[str, object]]) -> tuple[np.ndarray, np.ndarray]:
        pieces = [list(of[i : i + MOST_AT_ONCE]) for i in range(0, len(of), MOST_AT_ONCE)]
        areas = np.concatenate([coco_mask.area(piece) for piece in pieces])
        return areas, np.concatenate([coco_mask.toBbox(piece) for piece in pieces])

    def dense() -> list[tuple[int, list[int]]]:
        sample = slice(DENSE_SAMPLE)
        return [dense_area_and_box(*mask) for mask in zip(counts[sample], sizes[sample], strict=True)]

    measured, (areas, boxes) = masks.measure(counts, heights, widths), by_pycocotools(coco)
    assert (measured.areas == areas).all()
    assert (measured.boxes == boxes).all()
    assert dense() == [(int(areas[i]), boxes[i].tolist()) for i in range(DENSE_SAMPLE)]
    rates = best(
        len(counts),
        {
            "measure: guard, area, box": lambda: masks.measure(counts, heights, widths),
            "encode_many: JSON masks; size, guard, area, box": lambda: masks.encode_many(texts, heights, widths),
            "pycocotools: area and toBbox, nothing checked": lambda: by_pycocotools(coco),
        },
    )
    rates["dense: decode, sum, any"] = best(DENSE_SAMPLE, {"": dense})[""]
    title = f"Compressed run-length masks ({len(counts):,} of {np.mean([len(c) for c in counts]):.0f} bytes on average)"
    table(title, "pycocotools: area and toBbox, nothing checked", rates)


def drawing() -> None:
    rings, sizes = polygons(POLYGONS, seed=2)
    heights, widths = [size[0] for size in sizes], [size[1] for size in sizes]

    def by_pycocotools() -> list[bytes]:
        return [draw_by_pycocotools(*polygon) for polygon in zip(rings, sizes, strict=True)]

    assert masks.encode_many(rings, heights, widths).counts == by_pycocotools()
    rates = best(
        len(rings),
        {
            "encode_many: checks, counts, guard, area, box": lambda: masks.encode_many(rings, heights, widths),
            "draw: checks, counts": lambda: draw(rings, heights, widths),
            "pycocotools: frPyObjects and merge, nothing checked": by_pycocotools,
        },
    )
    numbers = np.mean([len(ring) for polygon in rings for ring in polygon])
    title = f"Polygons ({len(rings):,}; {numbers:.0f} numbers a ring, one in ten of two rings)"
    table(title, "pycocotools: frPyObjects and merge, nothing checked", rates)


def containing() -> None:
    generator = np.random.default_rng(3)
    photographs = []
    for _ in range(PHOTOGRAPHS):
        lots = [[[outline(generator, (480, 640), 24)] for _ in range(n)] for n in (10, 4)]
        photographs.append([[masks.from_polygons(rings, 480, 640)[0] for rings in lot] for lot in lots])

    def on_runs() -> list[np.ndarray]:
        return [masks.containment(parts, objects) for parts, objects in photographs]

    def dense() -> list[np.ndarray]:
        shares = []
        for parts, objects in photographs[: PHOTOGRAPHS // 10]:
            flat = [np.stack([masks.decode(rle).ravel(order="F") for rle in lot]) for lot in (parts, objects)]
            inside = flat[0].astype(np.float32) @ flat[1].astype(np.float32).T
            shares.append(inside / flat[0].sum(axis=1, keepdims=True))
        return shares

    assert all(np.allclose(ours, theirs) for ours, theirs in zip(on_runs(), dense(), strict=False))
    rates = best(PHOTOGRAPHS, {"containment: on runs": on_runs})
    rates["dense: decode, product of matrices"] = best(PHOTOGRAPHS // 10, {"": dense})[""]
    table("Containment of 10 parts in 4 objects (photographs)", "dense: decode, product of matrices", rates)


def main() -> None:
    # pycocotools' `decode` warns under NumPy 2 at each call.
    warnings.filterwarnings("ignore", message="__array__ implementation", category=DeprecationWarning)
    measuring()
    drawing()
    containing()


if __name__ == "__main__":
    main()
