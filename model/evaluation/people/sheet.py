"""A sample of questions as a page to be answered by hand: one file, which needs no server and no network.

A question of two turns is two of the page's: the second follows the *true* answer to the first, which has been shown by then.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Final

from PIL import Image

from model.evaluation.asking import Asked
from model.evaluation.predicting import PredictionConfig
from model.evaluation.questions import Posed, Questions, Turned
from partonomy_data.store.files import fsync_folder

#: Raise it when `Sheet` changes: 2 has the sources, and a digest of the questions themselves.
FORMAT: Final = 2
#: What may be said of a key.
JUDGEMENTS: Final = {"right": "It is right", "wrong": "It is wrong", "unsure": "It can't be told from the photograph"}
#: Longest side of a photograph on the page, in pixels.
_SIDE: Final = 900
_FRAME: Final = "sheet.html"


@dataclass(frozen=True)
class Sheet:
    """What a sheet is of; every file that it saves says so."""

    format: int
    version: str
    split: str
    seed: int
    """Of the sample, and of the order of choices."""
    limit: int
    types: tuple[str, ...]
    sources: tuple[str, ...]
    digest: str
    """Of the questions on it, by their ids."""


def sheet_of(posed: Questions, version: str, config: PredictionConfig, limit: int) -> Sheet:
    """The sheet of the questions that are posed, `limit` of those that are configured."""
    told = (version, config.split, config.seed, limit, config.types, config.sources)
    content = json.dumps([FORMAT, *told, posed.names()])
    return Sheet(FORMAT, *told, hashlib.sha256(content.encode()).hexdigest()[:16])


def turns(one: Posed) -> list[tuple[Turned, Asked, int]]:
    """The turns of a question in their order, as asked of a person, and where the right choice is shown."""
    first = [(one.first, one.asked(one.first))]
    second = [(one.second, one.asked(one.second, one.turns[one.first].answer))] if one.second is not None else []
    return [(turn, asked, one.shuffled[turn].index(one.turns[turn].correct)) for turn, asked in (*first, *second)]


def write(path: Path, sheet: Sheet, posed: Questions) -> int:
    """Writes the page, question by question; how many questions could not be asked, as their photograph is missing."""
    frame = files(__package__).joinpath(_FRAME).read_text(encoding="utf-8")
    frame = frame.replace("@sheet@", escape(json.dumps(asdict(sheet)), quote=True))
    above, below = frame.split("@questions@")
    path.parent.mkdir(parents=True, exist_ok=True)
    aside, missing = path.with_suffix(".tmp"), 0
    with aside.open("w", encoding="utf-8") as file:
        file.write(above)
        for several, left_out in posed.batches(0, len(posed), 8):
            missing += len(left_out)
            for one in several:
                file.writelines(_articles(one))
        file.write(below)
    aside.replace(path)
    fsync_folder(path.parent)
    return missing


def _articles(one: Posed) -> Iterator[str]:
    for turn, asked, right in turns(one):
        name = escape(f"{one.question_id}/{turn}", quote=True)
        before = "".join(f"<p>{escape(said.question)} <b>{escape(said.answer)}</b></p>" for said in asked.history)
        choices = "".join(
            f'<label><input type="radio" class="choice" name="{name}" value="{place}"> {place + 1}. {escape(text)}</label>'
            for place, text in enumerate(asked.choices)
        )
        judged = "".join(
            f'<label><input type="radio" class="judged" name="{name}/key" value="{value}"> {number}. {escape(text)}</label>'
            for number, (value, text) in enumerate(JUDGEMENTS.items(), 1)
        )
        yield (
            f'<article data-question="{escape(one.question_id, quote=True)}" data-turn="{turn}">\n'
            f'<img alt="the photograph" src="{_picture(asked.image)}">\n<div>{before}<p>{escape(asked.question)}</p>\n'
            f"<fieldset><legend>Your answer</legend>{choices}</fieldset>\n"
            f'<div class="key"><p>The key says: <span class="right">{escape(asked.choices[right])}</span></p>\n'
            f"<fieldset><legend>The key</legend>{judged}</fieldset></div></div>\n</article>\n"
        )


def _picture(image: Image.Image) -> str:
    small = image.convert("RGB")
    small.thumbnail((_SIDE, _SIDE))
    written = io.BytesIO()
    small.save(written, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(written.getvalue()).decode()}"
