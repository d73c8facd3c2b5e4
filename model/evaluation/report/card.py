"""A model card: what a trained model is, on what it was trained, what it reaches, and where that ends."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from model.evaluation.report import gathering, markdown, saying
from model.evaluation.report.gathering import Gathered
from model.plum.errors import ModelError
from partonomy_data.store.reader import Store

_SHOWN: Final = (*gathering.CHOICES, *gathering.MASKS, *gathering.NAMES)
_LICENSES: Final = """SELECT coalesce(license, 'unknown') AS license, source, count(*) AS images FROM images
    WHERE image_id IN (SELECT image_id FROM questions WHERE split = 'train') GROUP BY ALL ORDER BY ALL"""


def text(folder: Path, said: Sequence[Gathered], store: Store) -> str:
    """The card of the model in a folder, from its config.json and its reports. Raises ModelError if there is no such file."""
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            "this is no trained model", where=str(folder), mend="Name a folder with a config.json"
        ) from error
    origin: Mapping[str, Any] = config.get("origin", {})
    lines = [f"# {folder.name}", ""]
    lines += ["PLUM, fine-tuned to answer questions about the parts of objects with text and a mask of each part.", ""]
    lines += ["## Where it comes from", "", *markdown.table(["", ""], _origin(config, origin)), ""]
    lines += ["## Settings", "", "```json", json.dumps(config.get("model", {}), indent=2, sort_keys=True), "```", ""]
    for one in said:
        lines += [f"## Results on `{one.split}`", "", f"{one.n} questions of version `{one.version}`.", ""]
        lines += markdown.table(["", "value"], [[name, _value(one, name)] for name in one.of(_SHOWN)])
        lines += ["", *(f"- {sentence}" for sentence in saying.sentences(one)), ""]
    lines += ["## Limits", "", *(f"- {one}" for one in _limits(origin, said, store)), ""]
    lines += [
        "## Licenses",
        "",
        "Of the photographs that the questions of `train` show. The weights' own use is bound by them, and by",
    ]
    lines += [f"the license of the backbone ({config.get('model', {}).get('backbone', 'unknown')}).", ""]
    rows = [
        [row["source"], row["license"], str(row["images"])] for row in store.sql(_LICENSES).to_arrow_table().to_pylist()
    ]
    return "\n".join([*lines, *markdown.table(["source", "license", "photographs"], rows), ""])


def _origin(config: Mapping[str, Any], origin: Mapping[str, Any]) -> list[list[str]]:
    return [
        ["data version", f"`{origin.get('data_version', 'unknown')}`"],
        ["steps", str(origin.get("steps", "unknown"))],
        ["digest of the training's settings", f"`{origin.get('training', '')[:16] or 'unknown'}`"],
        ["digest of the model's settings", f"`{str(config.get('model_digest', 'unknown'))[:16]}`"],
        ["weights, SHA-256", f"`{str(config.get('weights_sha256', 'unknown'))[:16]}`"],
    ]


def _limits(origin: Mapping[str, Any], said: Sequence[Gathered], store: Store) -> list[str]:
    told = []
    if origin.get("data_version") not in (None, store.version):
        told.append(
            f"It was trained on version `{origin['data_version']}` and measured on `{store.version}`: what is in a"
            " test split here may have been in train there."
        )
    told.append("It names parts as its training data does; parts that are seldom annotated are seldom named.")
    told.append("Questions whose key is unverified rest on incomplete labels: a right answer may count as wrong.")
    if not any(one.gaps for one in said):
        told.append("It was not measured on objects and parts that it has never seen.")
    told.append("It was not measured on anything but such questions; what fine-tuning cost it elsewhere is not known.")
    return told


def _value(said: Gathered, metric: str) -> str:
    row = said.at(metric)
    return "-" if row is None else saying.interval(row)
