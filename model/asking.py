"""One photograph, one question: the answer as colored text, as JSON, and as a picture with the masks."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from model.plum import answering, saving
from model.plum.answering import Answer
from model.plum.errors import ModelError
from partonomy_data import masks
from partonomy_data.photographs import decoding

#: Okabe and Ito's colors, which color-blind people tell apart too, without black.
COLORS: Final = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
)


@dataclass(frozen=True)
class Asked:
    """A photograph, what was asked, and what came of it."""

    photograph: Image.Image
    question: str
    answer: Answer


def ask(model: Path, image: Path, question: str, answer: str | None = None) -> Asked:
    """Asks the model in a folder about an image file; or has it find the parts in a given `answer`. Raises ModelError."""
    try:
        with Image.open(image) as file:
            photograph = decoding.upright(file).convert("RGB")
    except decoding.DAMAGE as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it can't be read as an image"
        raise ModelError(reason, where=str(image)) from error
    plum = saving.from_pretrained(model).plum
    asked = answering.Asked(answering.look(plum, [photograph])[0], question)
    if answer is None:
        return Asked(photograph, question, answering.generate(plum, [asked])[0])
    return Asked(photograph, question, answering.segment_spans(plum, [asked], [answer])[0])


def as_text(asked: Asked, picture: Path) -> str:
    """The answer, its parts in their colors where the terminal has any, and a line for each part."""
    from rich.console import Console
    from rich.text import Text

    answer = asked.answer
    text = Text(answer.text + ("" if answer.finished else " …"))
    for number, one in enumerate(answer.named):
        text.stylize(_style(number), one.start, one.end)
    console = Console(highlight=False, soft_wrap=True)
    with console.capture() as capture:
        console.print(text)
        width = max((len(one.phrase) for one in answer.named), default=0)
        for number, one in enumerate(answer.named):
            line = Text(f"  {one.phrase:<{width}}  {one.mask.mean():6.1%} of the image, estimated IoU {one.iou:.2f}")
            line.stylize(_style(number), 2, 2 + len(one.phrase))
            console.print(line)
        if not answer.named:
            console.print("  no part is named")
        console.print(f"the masks: {picture}", markup=False)
    return capture.get().rstrip("\n")


def as_json(asked: Asked, picture: Path) -> str:
    """The answer as JSON: text, parts with character offsets, compressed run-length masks as COCO has them, boxes xywh."""
    parts = []
    for one in asked.answer.named:
        mask = masks.from_bitmap(one.mask)
        parts.append(
            {
                "phrase": one.phrase,
                "start": one.start,
                "end": one.end,
                "iou_estimate": round(one.iou, 4),
                "area": masks.area(mask),
                "bbox": list(masks.box(mask)),
                "mask": masks.to_json(mask),
            }
        )
    content = {
        "question": asked.question,
        "text": asked.answer.text,
        "finished": asked.answer.finished,
        "parts": parts,
        "picture": str(picture),
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def draw(asked: Asked, path: Path) -> None:
    """Writes the photograph with the masks in color, and their names below. Raises ModelError where it can't be written."""
    shown = np.asarray(asked.photograph, np.float64)
    for number, one in enumerate(asked.answer.named):
        color = np.asarray(COLORS[number % len(COLORS)], np.float64)
        shown = np.where(one.mask[..., None], 0.45 * shown + 0.55 * color, shown)
        edge = one.mask & ~_eroded(one.mask)
        shown = np.where(edge[..., None], color, shown)
    picture = _with_legend(Image.fromarray(shown.round().astype(np.uint8)), [one.phrase for one in asked.answer.named])
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())
    except OSError as error:
        raise ModelError(f"the picture can't be written: {error.strerror}", where=str(path)) from error


def _with_legend(image: Image.Image, phrases: list[str]) -> Image.Image:
    """An image with a line of names below it, in their colors; as many lines as they need."""
    size = max(12, image.width // 30)
    font = ImageFont.load_default(size)
    places, x, y = [], size // 2, size // 2
    for phrase in phrases:
        needed = round(font.getlength(phrase)) + 2 * size
        if x > size and x + needed > image.width:
            x, y = size // 2, y + round(1.6 * size)
        places.append((x, y))
        x += needed
    height = y + 2 * size if phrases else 0
    whole = Image.new("RGB", (image.width, image.height + height), "white")
    whole.paste(image, (0, 0))
    pen = ImageDraw.Draw(whole)
    for number, (phrase, (left, top)) in enumerate(zip(phrases, places, strict=True)):
        above = image.height + top
        pen.rectangle(
            (left, above, left + size - 3, above + size - 3), fill=COLORS[number % len(COLORS)], outline="black"
        )
        pen.text((left + round(1.2 * size), above - size // 6), phrase, fill="black", font=font)
    return whole


def _eroded(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A mask without the pixels that have a neighbor outside of it."""
    padded = np.pad(mask, 1)
    inner: NDArray[np.bool_] = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:] & mask
    return inner


def _style(number: int) -> str:
    red, green, blue = COLORS[number % len(COLORS)]
    return f"bold rgb({red},{green},{blue})"
