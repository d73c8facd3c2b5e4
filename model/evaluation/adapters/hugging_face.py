"""A language model that sees, of `transformers`, as it is: choices by likelihood, answers in its own words, no masks.

A trained PLUM without its masks is asked in the same way (`TextModel` of its backbone), so that both can be compared.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import torch
from torch import Tensor

from model.evaluation.adapters import likeness
from model.evaluation.adapters.named import PREFIX, DType
from model.evaluation.asking import Asked, ChoosesOnly, Chosen, Said
from model.plum import devices, marking, scoring
from model.plum.backbone import Backbone, Picture
from model.plum.errors import ModelError
from model.plum.reading import Shown
from model.plum.rendering import Prompt, Rendered
from model.plum.writing import write
from model.shipped import located

T = TypeVar("T")
#: Photographs that are kept as the model has looked at them: those of the questions that are asked together.
_LOOKS: Final = 64
#: Of a model's name, what may stand in the name of a folder.
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@dataclass(frozen=True)
class _Look:
    """A photograph as the model has looked at it: once, whatever is then asked about it."""

    picture: Picture
    features: Tensor
    """(tokens, hidden)."""


class TextModel(ChoosesOnly):
    """A language model that sees. Each view is looked at once for all that is asked about it."""

    def __init__(self, name: str, backbone: Backbone, longest: int = 128) -> None:
        """`longest`: tokens of an answer in its own words."""
        self.name = name
        self._backbone, self._longest = backbone.eval(), longest
        self._looks: OrderedDict[str, _Look | ModelError] = OrderedDict()

    @torch.no_grad()
    def choose(self, asked: Sequence[Asked]) -> list[Chosen | None]:
        """By the sum of the log-likelihoods of a choice's tokens and the turn's end; no choice where two are the likeliest.

        Raises ModelError, which names the question, for a text that is longer than the context, or can't be shown unchanged.
        """
        if not asked:
            return []
        looks = [_there(look, one) for look, one in zip(self._looked(asked), asked, strict=True)]
        prompts = [_there(self._prompt(look, one), one) for look, one in zip(looks, asked, strict=True)]
        of = [number for number, one in enumerate(asked) for _ in one.choices]
        rendered = [
            self._rendered(prompt, choice, one)
            for prompt, one in zip(prompts, asked, strict=True)
            for choice in one.choices
        ]
        sums = iter(scoring.log_likelihoods(self._backbone, prompts, Shown.by(looks), rendered, of).tolist())
        lengths = iter([one.n_answer + 1 for one in rendered])
        found: list[Chosen | None] = []
        for one in asked:
            scores = tuple(next(sums) for _ in one.choices)
            best = [place for place, value in enumerate(scores) if value == max(scores)]
            found.append(Chosen(best[0] if len(best) == 1 else None, scores, tuple(next(lengths) for _ in one.choices)))
        return found

    def say(self, asked: Sequence[Asked]) -> list[Said | None]:
        """The likeliest tokens, one after the other. Raises ModelError, which names the question, as `choose` does."""
        made = self.answers(asked)
        return [Said(_there(text, one), (), masked=False) for text, one in zip(made, asked, strict=True)]

    @torch.no_grad()
    def answers(self, asked: Sequence[Asked]) -> list[str | ModelError]:
        """The same as text; or why a question can't be asked: it is too long, or a photograph of a shape that isn't taken.

        An answer has as many tokens as are wanted, or as there is room for, whatever is asked beside it.
        """
        found: list[str | ModelError] = []
        rooms: dict[int, list[tuple[int, _Look, Prompt]]] = {}
        for number, (look, one) in enumerate(zip(self._looked(asked), asked, strict=True)):
            if isinstance(look, ModelError):
                found.append(look)
                continue
            prompt = self._prompt(look, one)
            if isinstance(prompt, ModelError):
                found.append(prompt)
                continue
            found.append("")
            room = min(self._longest, self._backbone.longest - len(prompt.ids))
            rooms.setdefault(room, []).append((number, look, prompt))
        for room, several in rooms.items():
            numbers, looks, prompts = zip(*several, strict=True)
            written = write(self._backbone, prompts, Shown.by(looks), room)
            for number, made in zip(numbers, written, strict=True):
                # A model that was trained with [SEG] tokens writes them, as text; they are no part of what it says.
                found[number] = marking.unmark(self._backbone.renderer.text_of(made.ids)[0])[0]
        return found

    def _prompt(self, look: _Look, one: Asked) -> Prompt | ModelError:
        """The prompt, which leaves room for a token at least; or why there is none."""
        try:
            prompt = self._backbone.renderer.prompt(look.picture.replacement, one.question, one.history)
            self._backbone.check_length(len(prompt.ids) + 1)
        except ModelError as error:
            return error
        return prompt

    def _rendered(self, prompt: Prompt, choice: str, one: Asked) -> Rendered:
        try:
            rendered = self._backbone.renderer.answered(prompt, choice)
            self._backbone.check_length(len(rendered.ids) - 1)
        except ModelError as error:
            raise _named(error, one) from error
        return rendered

    def _looked(self, asked: Sequence[Asked]) -> list[_Look | ModelError]:
        new = {one.view_id: one.image for one in asked if one.view_id not in self._looks}
        pictures: dict[str, Picture] = {}
        for name, image in new.items():
            try:
                pictures[name] = self._backbone.picture(image.convert("RGB"))
            except ModelError as error:
                self._looks[name] = error
        if pictures:
            features = self._backbone.features(list(pictures.values()))
            for (name, picture), of_it in zip(pictures.items(), features, strict=True):
                self._looks[name] = _Look(picture, of_it)
        for one in asked:
            self._looks.move_to_end(one.view_id)
        looked = [self._looks[one.view_id] for one in asked]
        while len(self._looks) > _LOOKS:
            self._looks.popitem(last=False)
        return looked


def loaded(name: str, longest: int, dtype: DType = "float32") -> tuple[TextModel, str]:
    """The model that `hf:NAME` names, and a digest of its files.

    NAME is a folder in the layout of `transformers`, `shipped:…`, or a name of the hub that is in the local cache: nothing is
    fetched. Raises ModelError for what isn't there, is damaged, or is of a class that can't be asked.
    """
    folder = folder_of(name)
    backbone = devices.placed(Backbone.load(folder, getattr(torch, dtype)).eval())
    likeness.check(backbone, f"{PREFIX}{name}")
    kept = (Path(name).absolute().name if Path(name).is_dir() else name).removeprefix("shipped:")
    plain = "".join(one if one in _PLAIN else "-" for one in kept)
    return TextModel(f"hf-{plain}", backbone, longest), digest(folder)


def folder_of(name: str) -> Path:
    """Where the model that `hf:NAME` names lies on this machine. Raises ModelError."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    place = Path(located(name)).expanduser()
    if name.strip() and place.is_dir():
        return place
    if not name.strip() or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ModelError("there is no such folder", where=f"{PREFIX}{name}", mend="Name the folder of a model")
    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError, ValueError) as error:
        what = "neither a folder nor a model in the local cache of the Hugging Face hub, and nothing is fetched"
        raise ModelError(
            what, where=f"{PREFIX}{name}", mend=f"Check the name, or get it first: hf download {name}"
        ) from error


def digest(folder: Path) -> str:
    """Of a model's settings as they are, and its other files by name, size and time."""
    made = hashlib.sha256()
    for path in sorted(one for one in folder.iterdir() if one.is_file()):
        about = path.stat()
        made.update(f"{path.name} {about.st_size} {about.st_mtime_ns}\n".encode())
        if path.suffix == ".json" and about.st_size < 1 << 20:
            made.update(path.read_bytes())
    return made.hexdigest()


def _there(made: T | ModelError, one: Asked) -> T:
    """What was made; an error is raised, with the question that it is about."""
    if isinstance(made, ModelError):
        raise _named(made, one) from made
    return made


def _named(error: ModelError, one: Asked) -> ModelError:
    return type(error)(error.what, where=f"question {one.question_id}", mend=error.mend)
