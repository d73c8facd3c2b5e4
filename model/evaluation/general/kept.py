"""What a model has said to a set so far: on disk batch by batch, so that a run which is killed goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from model.evaluation.general.config import GeneralConfig
from model.evaluation.general.reading import Format


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a question."""

    question_id: str
    text: str | None
    """What the model said; None where it couldn't be asked."""
    refused: str = ""
    """Why it couldn't."""


class Kept:
    """What a model has said, in a file of its own: a line of JSON each."""

    def __init__(self, path: Path) -> None:
        """Goes on with the file, if it is there. A line that isn't whole, as after a kill, counts as not said."""
        self._path = path
        self._said: dict[str, Said] = {}
        content = path.read_bytes() if path.exists() else b""
        for line in content.split(b"\n"):
            try:
                one = Said(**json.loads(line))
            except (ValueError, TypeError):
                continue
            self._said[one.question_id] = one
        path.parent.mkdir(parents=True, exist_ok=True)
        if content and not content.endswith(b"\n"):
            self._write("\n")

    def __len__(self) -> int:
        return len(self._said)

    def __getitem__(self, question_id: str) -> Said | None:
        return self._said.get(question_id)

    def add(self, several: Sequence[Said]) -> None:
        """On disk when it returns."""
        kept = ({"question_id": one.question_id, "text": one.text, "refused": one.refused} for one in several)
        self._write("".join(f"{json.dumps(one)}\n" for one in kept))
        self._said.update((one.question_id, one) for one in several)

    def _write(self, text: str) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def key(model: str, digest: str, form: Format, path: Path, images: Path, config: GeneralConfig, dtype: str) -> str:
    """Names what is kept of a model on a set; answers to another file, of another model, or by another prompt have another name.

    `digest` is of the model's content. How many are asked at once, and which are drawn under a limit, changes no answer.
    """
    about = path.stat()
    of_file = [str(path.absolute()), about.st_size, about.st_mtime_ns]
    told = [model, digest, form, of_file, str(images.absolute()), config.prompt, config.longest, dtype]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:24]
