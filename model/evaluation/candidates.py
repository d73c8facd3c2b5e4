"""What can be measured, by what it is called: a baseline, or a trained model."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final, Literal

from model.evaluation.adapters import masking, named
from model.evaluation.adapters.baselines import Oracle, Random
from model.evaluation.adapters.blind import Frequent, Learned
from model.evaluation.adapters.masking import Masking
from model.evaluation.adapters.named import DType
from model.evaluation.asking import Model
from model.evaluation.predicting import PredictionConfig
from model.shipped import located
from model.stored import folder_of
from partonomy_data.photographs.places import SETTING, Photographs, of_store
from partonomy_data.store.layout import Layout
from partonomy_data.store.reader import Store

#: Baselines that can be named in the place of a model.
BASELINES: Final = ("random", "oracle", "frequent", "blind", "whole-object", "mean-location", "nearest", "color")
#: Those that need a SAM: `sam-box:` and what has it, a trained model or an official checkpoint.
PROMPTED: Final[dict[str, Literal["box", "point"]]] = {"sam-box": "box", "sam-point": "point"}
_OTHERS: Final = f"; baselines are {', '.join((*BASELINES, *(f'{one}:MODEL' for one in PROMPTED)))}; or hf:NAME"
_URIS: Final = """SELECT i.source, min(i.uri) FROM questions q JOIN images i ON i.image_id = q.image_id
    WHERE q.split = 'train' GROUP BY i.source"""


def load(
    layout: Layout,
    store: Store,
    model: str | Path,
    predictions: PredictionConfig,
    *,
    longest: int,
    sam_size: str,
    dtype: DType = "float32",
) -> tuple[Model, str]:
    """What is to be measured, and a digest of its content where its name doesn't say it all. Raises ModelError if there is none.

    `longest`: tokens of an answer in a model's own words. `sam_size`: of an official checkpoint of SAM. `dtype`: of
    the weights of `hf:NAME`.
    """
    name = str(model)
    if name in BASELINES:
        return _baseline(layout, store, name, predictions), ""
    kind, _, place = name.partition(":")
    # What brings torch along is loaded for those who need it.
    if name.startswith(named.PREFIX):
        from model.evaluation.adapters import hugging_face

        return hugging_face.loaded(place, longest, dtype)
    if kind in PROMPTED and place:
        from model.evaluation.adapters import prompted

        folder = _prompted(layout, place)
        way = prompted.loaded(folder, sam_size, PROMPTED[kind])
        return Masking(f"{kind}-{folder.stem}", store, way), _digest(folder, sam_size)
    plain, done_to_it = named.split(name) if not Path(name).is_dir() else (name, "")
    folder = folder_of(layout, plain, _OTHERS)
    from model.evaluation.adapters import interventions
    from model.evaluation.adapters.plum import PlumModel
    from model.plum import saving

    loaded = saving.from_pretrained(folder).plum
    if done_to_it:
        changed = f"{folder.name}{named.SIGN}{done_to_it}"
        return interventions.applied(changed, loaded, done_to_it, longest), _digest(folder)
    return PlumModel(folder.name, loaded, longest), _digest(folder)


def check(layout: Layout, model: str) -> None:
    """Raises ModelError if nothing is called so; loads nothing. What `hf:` names is known when it is loaded."""
    kind, _, place = model.partition(":")
    if kind in PROMPTED and place:
        _prompted(layout, place)
    elif model not in BASELINES and not model.startswith(named.PREFIX):
        folder_of(layout, model if Path(model).is_dir() else named.split(model)[0], _OTHERS)


def is_models(layout: Layout, name: str) -> bool:
    """Whether results under that name are, or would be, those of a model, a baseline or a person."""
    if name in BASELINES or named.split(name)[1] or (layout.models / name).is_dir():
        return True
    return name.startswith(tuple(f"{kind}-" for kind in ("api", "hf", "human", *PROMPTED)))


def _prompted(layout: Layout, place: str) -> Path:
    """Where the SAM is: a checkpoint's file, or a trained model's folder."""
    place = located(place)
    return Path(place) if Path(place).is_file() else folder_of(layout, place)


def _baseline(layout: Layout, store: Store, name: str, predictions: PredictionConfig) -> Model:
    match name:
        case "random":
            return Random()
        case "oracle":
            return Oracle()
        case "frequent":
            return Frequent(name, store, predictions.seed)
        case "blind":
            return Learned(name, store, predictions.seed)
        case "whole-object":
            return Masking(name, store, masking.WholeObject())
        case "mean-location":
            return Masking(name, store, masking.MeanLocation(store, predictions.seed))
        case "nearest":
            return Masking(name, store, masking.Nearest(store, _train(layout, store, predictions), predictions.seed))
        case _:
            return Masking(name, store, masking.Color(store, _train(layout, store, predictions), predictions.seed))


def _train(layout: Layout, store: Store, predictions: PredictionConfig) -> Photographs:
    """The photographs of `train`."""
    uris = {str(source): str(uri) for source, uri in store.sql(_URIS).fetchall()}
    return of_store(layout.root, predictions.photographs, SETTING).check(uris)


def _digest(place: Path, also: str = "") -> str:
    """Of a model's content, as its own config.json has it; of a checkpoint, by its size and time."""
    if place.is_dir():
        content = (place / "config.json").read_bytes()
    else:
        content = f"{place.stat().st_size} {place.stat().st_mtime_ns}".encode()
    return hashlib.sha256(content + also.encode()).hexdigest()
