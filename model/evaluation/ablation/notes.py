"""What an ablation has measured already: a note of each model, with digests of the files that its numbers come from."""

from __future__ import annotations

from pathlib import Path

import msgspec

from model import settings
from model.evaluation import job as evaluating
from model.evaluation.job import EvaluationConfig
from partonomy_data.store import files
from partonomy_data.store.layout import Layout


class Noted(msgspec.Struct, frozen=True):
    """Of a model on a split. Notes that were written before there were digests are the name alone."""

    model_id: str
    """Under which name its results are in the store."""
    predictions: str
    """SHA-256 of the file of its predictions, which any later evaluation of the model on that split writes anew."""
    given: str | None = None
    """SHA-256 of the file that was named in the place of a model, if one was."""


class Notes:
    """Of one version and one way to evaluate, in a file of the store."""

    def __init__(self, layout: Layout, version: str, wanted: EvaluationConfig) -> None:
        """`wanted`: with the split. The file is named after it."""
        self._layout, self._version, self._wanted = layout, version, wanted
        self._path = layout.work / "ablations" / f"{settings.digest(wanted)[:24]}-names.json"

    def known(self, model: str) -> str | None:
        """Under which name a model's results are; None if it wasn't measured, or its files are no longer those that were."""
        noted = self._read().get(f"{model}/{self._version}")
        if noted is None or isinstance(noted, str):
            return noted if noted is not None and self._predictions(noted).exists() else None
        now = Noted(noted.model_id, _digest(self._predictions(noted.model_id)) or "", self.given(model))
        return noted.model_id if now == noted else None

    def add(self, model: str, model_id: str, given: str | None) -> None:
        """Notes that a model was measured. `given`: what `given` said before it was."""
        digest = _digest(self._predictions(model_id))
        if digest is None:
            return  # those of a person are of the split that the sheet names
        self._path.parent.mkdir(parents=True, exist_ok=True)
        done = self._read() | {f"{model}/{self._version}": Noted(model_id, digest, given)}
        files.write_json(self._path, msgspec.to_builtins(done))

    @staticmethod
    def given(model: str) -> str | None:
        """SHA-256 of the file that is named in the place of a model; None if none is, or it isn't there."""
        return _digest(Path(model)) if evaluating.is_file(model) else None

    def _read(self) -> dict[str, str | Noted]:
        if not self._path.exists():
            return {}
        return msgspec.json.decode(self._path.read_bytes(), type=dict[str, str | Noted])

    def _predictions(self, model_id: str) -> Path:
        asked = self._wanted.predictions
        return self._layout.evaluation(model_id, self._version) / f"predictions-{asked.split}-{asked.seed}.parquet"


def _digest(path: Path) -> str | None:
    return files.sha256(path) if path.is_file() else None
