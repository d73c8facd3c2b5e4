"""A model on disk: a folder that restores all of it, or, for a large one, all but the backbone that it names.

    config.json          format, settings and their digest, version and schema of the data, the weights' checksums
    backbone/            config, tokenizer and processor in the layout of `transformers`
    weights.safetensors  every weight; or every one that is not the named backbone's, untouched

Nothing is left to the settings of the code that loads it: the mask feedback that was trained is there again, or loading fails.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model import settings
from model.plum import devices, patches, pretrained, sam
from model.plum.backbone import Backbone
from model.plum.config import PlumConfig
from model.plum.errors import ModelError
from model.plum.marking import SEG
from model.plum.model import Plum
from model.plum.segmenter import Segmenter
from model.shipped import located
from schemas.tables import SCHEMA_VERSION

FORMAT: Final = 1


@dataclass(frozen=True)
class Origin:
    """Where a model comes from."""

    data_version: str
    """The store's version that it was trained on."""
    schema_version: int = SCHEMA_VERSION
    training: str = ""
    """Digest of the training's settings."""
    steps: int = 0


@dataclass(frozen=True)
class Saved:
    """A model that was loaded, and where it comes from."""

    plum: Plum
    origin: Origin


@dataclass(frozen=True)
class _Content:
    """What config.json holds."""

    format: int
    model: PlumConfig
    model_digest: str
    origin: Origin
    whole: bool
    weights_sha256: str
    backbone_sha256: str
    """Of the named backbone's weights that are not in the file; empty for a whole model."""


def build(config: PlumConfig) -> Plum:
    """A model that is yet to be fine-tuned, from a backbone and a SAM as the settings name them. Raises ModelError."""
    sizes = sam.SamConfig.named(config.sam_size)
    backbone = _named_backbone(config)
    if config.shared_sight or config.losses.patches > 0:
        patches.check_whole(backbone.processor)
    made = sam.build(sizes) if config.sam == "random" else sam.load_official(Path(located(config.sam)), sizes)
    return _put_together(config, backbone, made)


def save_pretrained(plum: Plum, folder: Path, origin: Origin, *, whole: bool = True) -> None:
    """Writes a model to a new folder. Not `whole`: without the weights that are still those of the backbone that it names.

    Raises ModelError where the folder is there already, or can't be written.
    """
    path = folder / "weights.safetensors"
    try:
        folder.mkdir(parents=True)
        with pretrained.quiet():
            plum.backbone.plain.config.save_pretrained(folder / "backbone")
            plum.backbone.processor.save_pretrained(folder / "backbone")
        save_file(_weights(plum, whole), path, metadata={"format": "pt"})
        digest, sums = settings.digest(plum.config), (_checksum(path), _checksum_of_others(plum, whole))
        content = _Content(FORMAT, settings.typed(plum.config), digest, origin, whole, *sums)
        with (folder / "config.json").open("w", encoding="utf-8") as file:
            json.dump(settings.plain(content), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise ModelError(f"it can't be written: {why}", where=str(folder), mend="Name a new folder") from error


def from_pretrained(folder: Path, device: torch.device | str | None = None, *, other_schema: bool = False) -> Saved:
    """A model as it was saved, to the bit, on a `device`: CUDA where there is one, if none is given, else the processor.

    Raises ModelError for a folder that is no such model, or is damaged, and where the device has no room for it. A model trained
    on data of another schema is refused, unless `other_schema` says that it is meant.
    """
    content = _content(folder)
    config, origin = content.model, content.origin
    if origin.schema_version != SCHEMA_VERSION and not other_schema:
        raise ModelError(
            f"it was trained on data of schema version {origin.schema_version}, and this is version {SCHEMA_VERSION}",
            where=str(folder),
            mend="Train it again, or use the partonomy-data that it was trained with",
        )
    path = folder / "weights.safetensors"
    if _checksum(path) != content.weights_sha256:
        raise ModelError("the weights are not those that were saved", where=str(path), mend="Get the folder again")
    if content.whole:
        backbone = Backbone(*pretrained.from_config(folder / "backbone", getattr(torch, config.dtype)))
    else:
        backbone = _named_backbone(config)
    with pretrained.undrawn():
        made = sam.build(sam.SamConfig.named(config.sam_size))
    plum = _put_together(config, backbone, made)
    if _checksum_of_others(plum, content.whole) != content.backbone_sha256:
        mend = "Name the backbone as it was then"
        raise ModelError("the weights are not those that the model was trained on", where=config.backbone, mend=mend)
    _restore(plum, path, whole=content.whole)
    return Saved(devices.placed(plum.eval(), device), origin)


def _named_backbone(config: PlumConfig) -> Backbone:
    """The backbone that the settings name, with a token `[SEG]` if they ask for it."""
    backbone = Backbone.load(located(config.backbone), getattr(torch, config.dtype))
    if config.marking == "seg_token":
        _add_seg(backbone)
    return backbone


def _put_together(config: PlumConfig, backbone: Backbone, made: Any) -> Plum:
    trainable = config.trainable
    segmenter = Segmenter(made, freeze_encoder=not trainable.image_encoder, freeze_decoder=not trainable.mask_decoder)
    return Plum(config, backbone, segmenter)


def _ours(plum: Plum, whole: bool) -> dict[str, Tensor]:
    """What belongs into the file, by name: all, or without what is the named backbone's and doesn't train."""
    trains = {name for name, one in plum.named_parameters(remove_duplicate=False) if one.requires_grad}
    state: dict[str, Tensor] = plum.state_dict()
    return {name: one for name, one in state.items() if whole or name in trains or not name.startswith("backbone.")}


def _weights(plum: Plum, whole: bool) -> dict[str, Tensor]:
    """What is written: every tensor once, however many names it has."""
    seen: set[int] = set()
    weights = {}
    for name, one in _ours(plum, whole).items():
        if one.data_ptr() not in seen:
            seen.add(one.data_ptr())
            weights[name] = one.detach().cpu().contiguous()
    return weights


def _restore(plum: Plum, path: Path, *, whole: bool) -> None:
    needed = _ours(plum, whole)
    state = plum.state_dict()
    given: set[int] = set()
    wrong: list[str] = []
    try:
        with safe_open(path, framework="pt") as file, torch.no_grad():
            for name in file.keys():  # noqa: SIM118  it is no dictionary
                one, place = file.get_tensor(name), state.get(name)
                if place is None or place.shape != one.shape or not _holds(place.dtype, one.dtype):
                    wrong.append(name)
                else:
                    place.copy_(one)
                    given.add(place.data_ptr())
    except (OSError, SafetensorError) as error:
        raise ModelError(f"it can't be read: {str(error).splitlines()[0]}", where=str(path)) from error
    wrong += [name for name, one in needed.items() if one.data_ptr() not in given]
    if wrong:
        named = ", ".join(sorted(wrong)[:3])
        raise ModelError(
            f"the weights are not those of this model: {named}",
            where=str(path),
            mend="Use the partonomy-data, and the backbone, that it was trained with",
        )


def _holds(ours: torch.dtype, theirs: torch.dtype) -> bool:
    """Whether a weight is of its type; one that trains is float32 now, and may have been saved when it was bfloat16."""
    return ours == theirs or (ours, theirs) == (torch.float32, torch.bfloat16)


def _checksum(path: Path) -> str:
    """SHA-256 of a file."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"it can't be read: {error.strerror}", where=str(path), mend="Get the folder again") from error


def _checksum_of_others(plum: Plum, whole: bool) -> str:
    """SHA-256 of the weights that are not in the file: their names, types, shapes and values."""
    if whole:
        return ""
    digest, ours = hashlib.sha256(), _ours(plum, whole)
    for name, one in sorted(plum.state_dict().items()):
        if name not in ours:
            digest.update(f"{name} {one.dtype} {tuple(one.shape)}\n".encode())
            digest.update(one.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _content(folder: Path) -> _Content:
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = content["format"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            "there is no model of PLUM", where=str(folder), mend="Name the folder of a trained model"
        ) from error
    if found != FORMAT:
        mend = "Use the partonomy-data that it was saved with"
        raise ModelError(f"it is of format {found}, and this reads format {FORMAT}", where=str(folder), mend=mend)
    made = settings.convert(content, _Content, where=str(path))
    # Or of what the file says: a model may be older than some settings.
    if made.model_digest not in (settings.digest(made.model), settings.digest_of(content["model"])):
        raise ModelError(
            "its settings are not those that it was saved with", where=str(path), mend="Get the folder again"
        )
    return made


def _add_seg(backbone: Backbone) -> None:
    """Adds the token `[SEG]`, if it isn't there."""
    backbone.renderer.tokenizer.add_tokens([SEG])
    known = backbone.plain.get_input_embeddings().num_embeddings
    if len(backbone.renderer.tokenizer) > known:
        with pretrained.quiet():
            backbone.plain.resize_token_embeddings(len(backbone.renderer.tokenizer), mean_resizing=False)
