"""Any LMM of `AutoModelForImageTextToText` behind one small interface: a photograph and text in, states of text positions out.

The families differ in how a photograph becomes features, in how many tokens it takes, and in their position ids. What they share
is used: the model's own `get_image_features`, its embeddings, its decoder, its head. Features are computed once per photograph,
however many texts look at it, and put where the text has image tokens.

Position ids are always given. Qwen-VL models keep the last prompt's rope offset in the model itself, and would use it for
whatever comes next, of another photograph too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import linear

from model.plum import pretrained
from model.plum.adapters import LoraConfig, adapted
from model.plum.errors import ModelError, PhotographError
from model.plum.rendering import Renderer

__all__ = ["Backbone", "LoraConfig", "Picture", "Texts"]

#: Tokens of the vocabulary whose weights in the head are widened at once: 64 MiB of 4,096 each.
_AT_ONCE: Final = 4096


@dataclass(frozen=True)
class Picture:
    """A photograph as a backbone takes it in."""

    inputs: Mapping[str, Tensor]
    """What `get_image_features` is called with; the first axis of each is the photograph's own."""
    replacement: str
    """The text that stands for it."""


@dataclass(frozen=True)
class Texts:
    """Token ids of N texts, padded on the right to T."""

    ids: Tensor
    """int64 (N, T)."""
    mask: Tensor
    """bool (N, T): true at real tokens."""
    positions: Tensor
    """int64 (N, T), or (3, N, T) where the family has three axes."""


class Backbone(nn.Module):
    """A language model that sees, its processor, and, where asked for, adapters on it."""

    def __init__(self, lmm: Any, processor: Any) -> None:
        super().__init__()
        self.lmm = lmm
        self.processor = processor
        self.renderer = Renderer(processor)
        self.adapted = False

    @classmethod
    def load(cls, name: str | Path, dtype: torch.dtype = torch.float32) -> Backbone:
        """From a folder in the ordinary layout of `transformers`, or a name of its hub. Raises ModelError."""
        return cls(*pretrained.load(name, dtype))

    # What it is made of

    @property
    def plain(self) -> Any:
        """The model of `transformers` itself, whether adapters are on it or not."""
        return self.lmm.get_base_model() if self.adapted else self.lmm

    @property
    def decoder(self) -> Any:
        """The language model without its head."""
        return self.plain.get_decoder()

    @property
    def hidden(self) -> int:
        """Width of its states."""
        return int(self.plain.config.get_text_config().hidden_size)

    @property
    def longest(self) -> int:
        """Tokens that a text may have, those of its photograph included."""
        return int(getattr(self.plain.config.get_text_config(), "max_position_embeddings", 1 << 30))

    @property
    def device(self) -> torch.device:
        """Where its embeddings are."""
        return cast(torch.device, self.plain.get_input_embeddings().weight.device)

    def compute_again(self) -> None:
        """From now on training computes states again in the backward pass (gradient checkpointing): less memory, more time."""
        self.plain.activation_checkpointing_enable({"use_reentrant": False})
        # Otherwise all embeddings ask for gradients, and these go back through a vision tower that is frozen.
        self.plain.disable_input_require_grads()

    @property
    def computes_again(self) -> bool:
        """Whether it is so now, so that no cache can be filled."""
        return any(
            module.training and getattr(module, "gradient_checkpointing", False) for module in self.decoder.modules()
        )

    def adapt(self, config: LoraConfig) -> None:
        """Freezes the model and puts adapters on the language model's projections. The rest of it stays as it was trained."""
        self.lmm = adapted(self.lmm, self.decoder, config)
        self.adapted = True

    def learn_in_float32(self) -> None:
        """What trains becomes float32, whatever the rest is: to bfloat16's eight bits most steps of an optimiser add nothing."""
        for weight in self.plain.parameters():
            if weight.requires_grad:
                weight.data = weight.data.float()

    @contextmanager
    def as_teacher(self) -> Iterator[None]:
        """The model as it was before it was adapted: adapters off, no dropout, no gradient. Nothing is copied."""
        if not self.adapted:
            raise ModelError("only a model with adapters is its own frozen teacher", mend="Set `lora`, or weigh `kl` 0")
        training = [module for module in self.lmm.modules() if module.training]
        self.lmm.eval()
        try:
            with torch.no_grad(), self.lmm.disable_adapter():
                yield
        finally:
            for module in training:
                module.training = True

    # Photographs

    def picture(self, photograph: Image.Image) -> Picture:
        """A photograph as the family's own processor prepares it, and the text that stands for it. Raises PhotographError."""
        token = self.renderer.image_token
        try:
            made = self.processor(
                text=[token], images=[photograph], return_tensors="pt", return_text_replacement_offsets=True
            )
        except ValueError as error:  # of a shape that the family doesn't take
            size = f"{photograph.height} x {photograph.width} pixels"
            raise PhotographError(
                f"a photograph of {size} can't be shown to the model: {error}".splitlines()[0], mend="Leave it out"
            ) from error
        ours = {"input_ids", "attention_mask", "text_replacement_offsets", "mm_token_type_ids", "token_type_ids"}
        replacement = made["text_replacement_offsets"][0][0]["replacement"]
        return Picture({name: value for name, value in made.items() if name not in ours}, replacement)

    def features(self, pictures: Sequence[Picture]) -> list[Tensor]:
        """For each photograph, its features (tokens, hidden), in the order of its tokens in the text."""
        names = pictures[0].inputs.keys()
        inputs = {name: _joined([picture.inputs[name] for picture in pictures]).to(self.device) for name in names}
        found = self.plain.model.get_image_features(**inputs, return_dict=True).pooler_output
        if len(found) != len(pictures):
            raise ModelError(f"the model gave features of {len(found)} photographs for {len(pictures)}")
        return [one.reshape(-1, one.shape[-1]) for one in found]

    # Text

    def texts(self, rows: Sequence[Sequence[int]], pictures: Sequence[Picture]) -> Texts:
        """Rows of token ids, each with its photograph (or none with any), padded, with position ids as the family counts them."""
        longest = max(map(len, rows))
        self.check_length(longest)
        ids = torch.full((len(rows), longest), self.renderer.pad_id)
        mask = torch.zeros(len(rows), longest, dtype=torch.bool)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = torch.as_tensor(row)
            mask[number, : len(row)] = True
        ids, mask = ids.to(self.device), mask.to(self.device)
        return Texts(ids, mask, self._positions(ids, mask, pictures))

    def check_length(self, tokens: int) -> None:
        """Raises ModelError for a text of more tokens than the model takes."""
        if tokens > self.longest:
            raise ModelError(
                f"a text of {tokens} tokens is longer than the model's {self.longest}",
                mend="Shorten the question or answer",
            )

    def states(
        self,
        texts: Texts,
        features: Sequence[Tensor],
        *,
        cache: Any = None,
        seen: Tensor | None = None,
    ) -> Tensor:
        """Last hidden states (N, T, hidden), which the head would read.

        `features[i]` fills the image tokens of row i, in their order; none for texts that go on after a `cache`. `seen` bool
        (N, C) is the mask of what the cache holds. The cache, if given, takes up these texts as well.
        """
        embedding = self.plain.get_input_embeddings()
        # Embeddings that train are float32, the layers that read them perhaps not (`learn_in_float32`).
        reading = next(weight.dtype for weight in self.decoder.parameters() if weight is not embedding.weight)
        embedded = embedding(texts.ids).to(reading)
        if features:
            places = texts.ids == self.image_token_id
            flat = torch.cat(list(features)).to(embedded.dtype)
            if int(places.sum()) != len(flat):
                raise ModelError(
                    f"the texts have {int(places.sum())} image tokens, the photographs {len(flat)} features"
                )
            embedded = embedded.masked_scatter(places[..., None], flat)
        mask = texts.mask if seen is None else torch.cat([seen, texts.mask], 1)
        out = self.decoder(
            inputs_embeds=embedded,
            attention_mask=mask.long(),
            position_ids=texts.positions,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        return cast(Tensor, out.last_hidden_state)

    def logits(self, states: Tensor) -> Tensor:
        """Float32 logits (…, vocabulary) of states (…, hidden).

        Where no gradient is wanted, the head's product is one of float32, too: rounded to bfloat16 it is off by hundredths of a
        nat a token. In training it is in the precision of training, as a float32 copy of the head would be kept for the
        backward pass.
        """
        head = self.plain.get_output_embeddings()
        if not isinstance(head, nn.Linear):
            return cast(Tensor, head(states)).float()
        if torch.is_grad_enabled():
            return cast(Tensor, head(states.to(head.weight.dtype))).float()
        with torch.autocast(states.device.type, enabled=False):
            return _in_float32(states, head)

    @property
    def image_token_id(self) -> int:
        """The id at whose places features are put."""
        config = self.plain.config
        return int(getattr(config, "image_token_id", None) or config.image_token_index)

    def new_cache(self) -> Any:
        """An empty cache of keys and values."""
        from transformers import DynamicCache

        return DynamicCache(config=self.plain.config.get_text_config())

    def after(self, texts: Texts, length: int) -> Tensor:
        """Position ids (as `texts.positions`) of `length` tokens that follow each text: on from its greatest."""
        # Where there are three axes, each text ends in words, which have the same position on all.
        last = texts.positions.masked_fill(~texts.mask, -1).amax(-1, keepdim=True)
        return last + 1 + torch.arange(length, device=last.device)

    def _positions(self, ids: Tensor, mask: Tensor, pictures: Sequence[Picture]) -> Tensor:
        index = getattr(self.plain.model, "get_rope_index", None)
        if index is None or not pictures:
            counted = (mask.long().cumsum(1) - 1).clamp(min=0)
            return counted if index is None else counted.expand(3, -1, -1)
        grid = torch.cat([picture.inputs["image_grid_thw"] for picture in pictures]).to(ids.device)
        kinds = (ids == self.image_token_id).int()
        found, _ = index(ids, mm_token_type_ids=kinds, image_grid_thw=grid, attention_mask=mask.long())
        return cast(Tensor, found)


def _in_float32(states: Tensor, head: nn.Linear) -> Tensor:
    """The head's product in float32, by pieces of the vocabulary if its weights aren't: no copy of all of them is made."""
    states = states.float()
    if head.weight.dtype == torch.float32:
        return cast(Tensor, head(states))
    logits = states.new_empty(*states.shape[:-1], head.out_features)
    for start in range(0, head.out_features, _AT_ONCE):
        piece = slice(start, start + _AT_ONCE)
        bias = None if head.bias is None else head.bias[piece].float()
        logits[..., piece] = linear(states, head.weight[piece].float(), bias)
    return logits


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """Along the first axis; axes after it padded with zeros where photographs have different numbers of crops."""
    shape = [max(sizes) for sizes in zip(*(part.shape[1:] for part in parts), strict=True)]
    if all(list(part.shape[1:]) == shape for part in parts):
        return torch.cat(list(parts))
    padded = []
    for part in parts:
        room = part.new_zeros(part.shape[0], *shape)
        room[tuple(slice(0, size) for size in part.shape)] = part
        padded.append(room)
    return torch.cat(padded)
