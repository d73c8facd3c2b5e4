"""A model behind an OpenAI-compatible server: it sees the photograph and lettered choices, and answers with a letter.

Asked, if wanted, for boxes or polygons of parts as well. Answers are kept in the store's answer store by the picture's pixels and
all that is said with it: a run that was killed, another split, another seed of the same order never pay for one again.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from string import ascii_uppercase
from typing import Any, Final, Literal

from PIL import Image

from model import settings
from model.evaluation.adapters import briefs
from model.evaluation.adapters.outlines import mask_of
from model.evaluation.asking import Asked, Chosen, Part, Said
from model.plum.errors import ModelError
from partonomy_data.llm import ledger, session
from partonomy_data.llm.brief import Answered, Brief, Item, Picture, Unanswered
from partonomy_data.llm.client import Client
from partonomy_data.llm.settings import LlmSettings, caps

#: What a name begins with that names such a model.
PREFIX: Final = "api:"
#: Pictures that are kept as they are sent.
_PICTURES: Final = 64
#: Of a model's name, what may stand in the name of a folder.
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


@dataclass(frozen=True)
class ApiConfig:
    """Which server is asked, how, and what it may cost. The key is in an environment variable, never here."""

    endpoint: str = "https://api.openai.com/v1"
    key_env: str = "OPENAI_API_KEY"
    masks: Literal["none", "boxes", "polygons"] = "none"
    """Whether it is asked for outlines of parts: two more calls for each question."""
    side: int = 1024
    """Pixels of a picture's longer side at the most; larger ones are made smaller."""
    tokens: int = 64
    """Of an answer; a model that thinks aloud needs more."""
    form: Literal["auto", "json_schema", "json_object", "text"] = "auto"
    seed: int | None = 0
    concurrency: int = 8
    timeout_s: float = 120.0
    tries: int = 6
    usd: float | None = None
    """Caps of one evaluation; `calls` and `tokens_in_all` too."""
    calls: int | None = None
    tokens_in_all: int | None = None
    usd_per_million_in: float | None = None
    """Prices, where the model isn't in the list."""
    usd_per_million_out: float | None = None

    def of(self, model: str) -> LlmSettings:
        """As the client takes it. Raises UsageError, and ModelError."""
        if self.side < 16 or self.tokens < 1:
            raise ModelError("api.side must be at least 16, and api.tokens at least 1")
        same = {"endpoint", "key_env", "form", "seed", "concurrency", "timeout_s", "tries", "usd", "calls"}
        same |= {"usd_per_million_in", "usd_per_million_out"}
        given = {name: value for name, value in asdict(self).items() if name in same}
        return LlmSettings(transport="openai", model=model, tokens=self.tokens_in_all, **given).checked()

    def digest(self) -> str:
        """Of what an answer depends on."""
        kept = {name: getattr(self, name) for name in ("endpoint", "masks", "side", "tokens", "form", "seed")}
        return hashlib.sha256(repr(sorted(kept.items())).encode()).hexdigest()


class ApiModel:
    """What is behind a server. Choices are in the order that the question's key gives; no scores."""

    def __init__(self, client: Client, model: str, config: ApiConfig, *, dry: bool = False) -> None:
        """With `dry` the first choice stands for an answer that isn't known, so that second turns are counted too."""
        kept = "".join(one if one in _PLAIN else "-" for one in model)
        self.name = f"api-{kept}"
        self._client, self._config, self._dry = client, config, dry
        self._pictures: OrderedDict[str, Picture] = OrderedDict()

    def choose(self, asked: Sequence[Asked]) -> list[Chosen | None]:
        """By the letter that it answers; no choice where no answer could be used."""
        shown = [{**_told(one), "choices": _lettered(one)} for one in asked]
        found: list[Chosen | None] = []
        for one in self._ask(briefs.choice(self._config.tokens), asked, shown):
            place = ascii_uppercase.index(one.choice) if one is not None else 0 if self._dry else None
            found.append(Chosen(place))
        return found

    def segment(
        self, asked: Sequence[Asked], answers: Sequence[str], spans: Sequence[Sequence[tuple[int, int]]]
    ) -> list[Said | None]:
        """Outlines of the parts that a given answer names, if they are wanted."""
        if self._config.masks == "none":
            return [None] * len(asked)
        shown = [
            {**_told(one), "answer": text, "parts": [text[start:end] for start, end in places]}
            for one, text, places in zip(asked, answers, spans, strict=True)
        ]
        brief = briefs.outlines(self._config.masks, self._config.tokens)
        found: list[Said | None] = []
        for one, text, places, made in zip(asked, answers, spans, self._ask(brief, asked, shown), strict=True):
            drawn = [_mask(one, outline) for outline in made.outlines] if made is not None else []
            parts = [Part(*place, mask) for place, mask in zip(places, drawn, strict=False)]
            found.append(Said(text, tuple(parts)) if made is not None else None)
        return found

    def tag(self, asked: Sequence[Asked], answers: Sequence[str]) -> list[tuple[tuple[int, int], ...] | None]:
        """Nothing: it isn't asked for."""
        return [None] * len(asked)

    def say(self, asked: Sequence[Asked]) -> list[Said | None]:
        """Its own answer with outlines of what it names, if they are wanted."""
        if self._config.masks == "none":
            return [None] * len(asked)
        brief = briefs.answer(self._config.masks, self._config.tokens)
        found: list[Said | None] = []
        for one, made in zip(asked, self._ask(brief, asked, [_told(one) for one in asked]), strict=True):
            if made is None:
                found.append(None)
                continue
            places = briefs.places(made.answer, made.phrases)
            parts = [Part(*place, _mask(one, line)) for place, line in zip(places, made.outlines, strict=True)]
            found.append(Said(made.answer, tuple(sorted(parts, key=lambda part: part.start))))
        return found

    def _ask(
        self, brief: Brief[briefs.T], asked: Sequence[Asked], shown: Sequence[Mapping[str, Any]]
    ) -> list[briefs.T | None]:
        items = [
            Item(str(place), told, (self._picture(one),))
            for place, (one, told) in enumerate(zip(asked, shown, strict=True))
        ]
        made: list[briefs.T | None] = []
        for one in self._client.ask(brief, items).values():
            if isinstance(one, Unanswered) and one.why == "budget":
                raise ModelError(
                    "the cap is reached; what was answered is kept",
                    where="api",
                    mend="Run it again with a higher cap (--budget), and it goes on from here",
                )
            made.append(one.value if isinstance(one, Answered) else None)
        return made

    def _picture(self, one: Asked) -> Picture:
        if one.view_id not in self._pictures:
            self._pictures[one.view_id] = _encoded(one.image, self._config.side)
        self._pictures.move_to_end(one.view_id)
        while len(self._pictures) > _PICTURES:
            self._pictures.popitem(last=False)
        return self._pictures[one.view_id]


@contextmanager
def opened(root: Path, model: str, config: ApiConfig, *, dry: bool = False) -> Iterator[tuple[ApiModel, Client]]:
    """A model of that name, with the answer store of the store at `root`; with `dry` nothing is sent. Raises UsageError."""
    with session.client(root, config.of(model), dry=dry) as client:
        yield ApiModel(client, model, config, dry=dry), client


def account(client: Client, *, planned: bool = False) -> str:
    """What was asked, or would be, and what that costs, as lines of text."""
    told = ledger.text(client.ledger.table(), planned=planned)
    return (
        told
        if client.budget.price is not None
        else f"{told}\nThe model's price is not known: give api.usd_per_million_in"
    )


def budgeted(config: ApiConfig, text: str) -> ApiConfig:
    """The same with caps: `5usd`, `200calls`, `1000000tokens`, or several with commas. Raises UsageError."""
    changed = {("tokens_in_all" if name == "tokens" else name): value for name, value in caps(text).items()}
    return settings.convert({**settings.plain(config), **changed}, ApiConfig)


def _told(one: Asked) -> dict[str, Any]:
    earlier = [{"question": turn.question, "answer": turn.answer} for turn in one.history]
    return {**({"earlier": earlier} if earlier else {}), "question": one.question}


def _lettered(one: Asked) -> dict[str, str]:
    return dict(zip(ascii_uppercase, one.choices, strict=False))


def _mask(one: Asked, outline: Sequence[int]) -> Any:
    return mask_of(outline, one.image.height, one.image.width)


def _encoded(image: Image.Image, side: int) -> Picture:
    """As JPEG; known by its pixels, as the same pixels may become other bytes with another version of the encoder."""
    pixels = hashlib.sha256(f"{image.size} {side} ".encode() + image.tobytes()).hexdigest()
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=90)
    return Picture(f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}", pixels)
