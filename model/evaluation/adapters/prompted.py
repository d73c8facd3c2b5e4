"""SAM, prompted with what only the truth knows: the box of a part, or a point in its middle.

It answers whether an external segmenter could do the rest, if a language model only said where a part is.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from model.evaluation.adapters.facts import Bitmap, Fact
from model.evaluation.questions import Posed
from model.plum import devices, pictures, sam, saving
from model.plum.errors import ModelError
from model.plum.pictures import Placement
from model.plum.segmenter import Segmenter

Prompt = Literal["box", "point"]
_LOOKS: Final = 64


class Prompted:
    """The true part's box or middle as SAM's prompt; nothing for a part that the true answer doesn't name."""

    def __init__(self, segmenter: Segmenter, config: sam.SamConfig, prompt: Prompt) -> None:
        self._segmenter, self._config, self._prompt = segmenter.eval(), config, prompt
        self._looks: OrderedDict[str, tuple[Tensor, Placement]] = OrderedDict()

    @torch.no_grad()
    def mask(self, part: str, fact: Fact, posed: Posed) -> Bitmap:
        """SAM's mask."""
        sample = posed.turns["parts"]
        nothing = np.zeros(fact.mask.shape, bool)
        true = next((mask for (_, _, name), mask in zip(sample.spans, sample.masks, strict=True) if name == part), None)
        if true is None or not true.any():
            return nothing
        embedding, placement = self._look(posed)
        device = embedding.device
        across, down = placement.resized_width / placement.width, placement.resized_height / placement.height
        scale = torch.tensor([across, down], device=device)
        encoder = self._segmenter.sam.prompt_encoder
        if self._prompt == "box":
            corners = torch.tensor(box_of(true), dtype=torch.float32, device=device).view(1, 2, 2) * scale
            sparse, dense = encoder(points=None, boxes=corners.reshape(1, 4), masks=None)
        else:
            middle = torch.tensor(middle_of(true), dtype=torch.float32, device=device).view(1, 1, 2) * scale
            inside = torch.ones(1, 1, dtype=torch.int64, device=device)
            sparse, dense = encoder(points=(middle, inside), boxes=None, masks=None)
        of = torch.zeros(1, dtype=torch.int64, device=device)
        decoded = self._segmenter.decode(embedding[None], of, sparse, dense)
        (made,) = pictures.masks_of(decoded.logits, [placement])
        return sample.view.back(made).astype(bool)

    def _look(self, posed: Posed) -> tuple[Tensor, Placement]:
        sample = posed.turns["parts"]
        if sample.view_id not in self._looks:
            pixels, placement = pictures.prepare(sample.view.image, self._config)
            pixels = pixels[None].to(self._segmenter.positions().device)
            self._looks[sample.view_id] = self._segmenter.encode(pixels)[0], placement
        while len(self._looks) > _LOOKS:
            self._looks.popitem(last=False)
        return self._looks[sample.view_id]


def loaded(place: Path, size: str, prompt: Prompt) -> Prompted:
    """From a PLUM's folder, with the SAM that it trained, or an official checkpoint of a size. Raises ModelError."""
    if place.is_dir():
        plum = saving.from_pretrained(place).plum
        return Prompted(plum.segmenter, plum.sam_config, prompt)
    if not place.is_file():
        raise ModelError(
            "there is no such checkpoint of SAM", where=str(place), mend="Name its file, or a PLUM's folder"
        )
    sizes = sam.SamConfig.named(size)
    return Prompted(devices.placed(Segmenter(sam.load_official(place, sizes))), sizes, prompt)


def box_of(mask: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of what a mask (h, w) covers, in pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def middle_of(mask: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> tuple[float, float]:
    """x, y of the pixel of a mask that is farthest from its edge: inside it, however it is bent."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), mask.shape)
    return float(column) + 0.5, float(row) + 0.5
