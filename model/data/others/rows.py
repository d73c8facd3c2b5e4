"""A row of other data: the columns of `model.data.rows`, filled from what such data has."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa

_SPAN: Final = pa.struct([("start", pa.int64()), ("end", pa.int64()), ("part", pa.string())])
_MASK: Final = pa.struct([("part", pa.string()), ("counts", pa.list_(pa.string()))])
_TURN: Final = pa.struct([("question", pa.string()), ("answer", pa.string())])
SCHEMA: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("sample_id", "source", "question_type", "uri", "sha256")),
        ("width", pa.int64()),
        ("height", pa.int64()),
        ("transposed", pa.bool_()),
        ("referent", pa.string()),
        ("region", pa.list_(pa.float64())),
        ("history", pa.list_(_TURN)),
        ("prompt", pa.string()),
        ("answer", pa.string()),
        ("spans", pa.list_(_SPAN)),
        ("masks", pa.list_(_MASK)),
        ("texts", pa.list_(pa.string())),
        ("correct_text", pa.int64()),
        ("view", pa.string()),
        ("characters", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Photograph:
    """A photograph that other data is about."""

    uri: str
    """Relative to the data's folder of images."""
    width: int
    height: int
    stamp: str
    """What changes when its file does: stands for its content."""


@dataclass
class Left:
    """What was left out, by reason: each is counted, and the first of each kind named."""

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def out(self, reason: str, what: str) -> None:
        """Counts one."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        self.first.setdefault(reason, what)

    def lines(self) -> list[str]:
        """A line for each reason."""
        return [f"{count:,} left out: {reason} (first: {self.first[reason]})" for reason, count in self.counts.items()]


def row(
    name: str,
    number: str,
    photograph: Photograph,
    question: str,
    answer: str,
    *,
    history: Sequence[tuple[str, str]] = (),
    named: tuple[int, int, str] | None = None,
    masks: Sequence[str] = (),
) -> Mapping[str, Any]:
    """A row of the data called `name`; `named` are the characters of `answer` that `masks` (compressed counts) belong to."""
    key = hashlib.sha256(f"{name}/{photograph.uri}/{photograph.stamp}".encode()).hexdigest()
    spans = [{"start": named[0], "end": named[1], "part": named[2]}] if named is not None else []
    return {
        "sample_id": f"{name}/{number}",
        "source": name,
        "question_type": name,
        "uri": photograph.uri,
        "sha256": key,
        "width": photograph.width,
        "height": photograph.height,
        "transposed": False,
        "referent": "unique",
        "region": None,
        "history": [{"question": asked, "answer": said} for asked, said in history],
        "prompt": question,
        "answer": answer,
        "spans": spans,
        "masks": [{"part": named[2], "counts": list(masks)}] if named is not None else [],
        "texts": [],
        "correct_text": 0,
        "view": key,
        "characters": len(question) + len(answer) + sum(len(asked) + len(said) for asked, said in history),
    }
