"""The mask decoder that spans prompt: SAM, with the spans of many photographs in one batch.

The package's `MaskDecoder.forward` repeats one image for all prompts. Here each prompt names its image; the decoder's own
parts (output tokens, two-way transformer, upscaling, hypernetwork, IoU head) do the same work, so official weights fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from segment_anything.modeling import Sam
from torch import Tensor, nn
from torch.func import functional_call

from model.plum import convolutional
from model.plum.convolutional import ConvEncoder
from model.plum.embedding_cache import EmbeddingCache, encoder_key
from model.plum.errors import ModelError

__all__ = ["Decoded", "EmbeddingCache", "Segmenter", "encoder_key"]

#: Pixels that a frozen encoder takes at once: one photograph at SAM's full size, whose attention to the whole image takes
#: gigabytes a photograph; a batch of small ones.
_PIXELS: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Decoded:
    """The single masks of N prompts, as SAM's with `multimask_output=False`."""

    logits: Tensor
    """float32 (N, 4h, 4w); a cell is of the mask where its logit is above 0."""
    iou: Tensor
    """float32 (N,): SAM's own guess of each mask's IoU, not held to 0 and 1."""


class Segmenter(nn.Module):
    """SAM's image encoder and mask decoder, prompted by embeddings of spans."""

    def __init__(
        self,
        sam: Sam,
        *,
        freeze_encoder: bool = True,
        freeze_decoder: bool = False,
        freeze_iou_head: bool = True,
        freeze_no_mask: bool = False,
    ) -> None:
        """Wraps `sam`, and sets which of its parameters train (`requires_grad`).

        By default as in the paper: the decoder trains, and the image encoder doesn't. The IoU head trains only if asked for
        by itself, as PLUM has no loss for it. `no_mask` is the embedding that stands for "no earlier mask". What prompts of
        spans never use (points, boxes, the multimask outputs' hypernetworks, SAM's own encoder of masks, of which
        `MaskFeedback` has a copy) is always frozen: no trainable parameter is left without a gradient.
        """
        super().__init__()
        self.sam = sam
        sam.requires_grad_(False)
        sam.image_encoder.requires_grad_(not freeze_encoder)
        decoder = sam.mask_decoder
        decoder.requires_grad_(not freeze_decoder)
        decoder.output_hypernetworks_mlps[1:].requires_grad_(False)
        decoder.iou_prediction_head.requires_grad_(not freeze_iou_head)
        sam.prompt_encoder.no_mask_embed.requires_grad_(not freeze_no_mask)

    @property
    def width(self) -> int:
        """C: the width of embeddings and queries."""
        return int(self.sam.prompt_encoder.embed_dim)

    @property
    def channels(self) -> int:
        """Of embeddings: C, and those that carry the encoder's finer maps."""
        if not self._fine:
            return self.width
        return convolutional.carried(self.width, self._wide)

    @property
    def _fine(self) -> bool:
        return isinstance(self.sam.image_encoder, ConvEncoder)

    @property
    def _wide(self) -> int:
        filters = getattr(self.sam.mask_decoder, "wide_filters", None)
        return 0 if filters is None else int(filters.layers[-1].out_features)

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) of the image embeddings, in positions."""
        height, width = self.sam.prompt_encoder.image_embedding_size
        return int(height), int(width)

    def no_mask(self) -> Tensor:
        """SAM's embedding (C,) of "no mask", the dense prompt at every position where there is no other."""
        weight: Tensor = self.sam.prompt_encoder.no_mask_embed.weight
        return weight[0]

    def positions(self) -> Tensor:
        """SAM's positional encoding float32 (C, h, w) of the embedding's positions.

        In float32 whatever the weights' precision, and under autocast too: its phases go through many turns, and half
        precision would lose where in a turn they are.
        """
        layer = self.sam.prompt_encoder.pe_layer
        buffers = {name: buffer.float() for name, buffer in layer.named_buffers()}
        device = next(iter(buffers.values())).device
        with torch.autocast(device.type, enabled=False):
            encoding: Tensor = functional_call(layer, buffers, (self.grid,))
        return encoding

    def encode(self, pixels: Tensor) -> Tensor:
        """Embeddings (I, `channels`, h, w) of I photographs, from pixels float32 (I, 3, S, S) as `pictures.prepare` makes them.

        A frozen encoder keeps nothing for the backward pass, and takes large photographs one at a time, which bounds memory and
        changes nothing else. Raises ModelError for pixels of another size.
        """
        side = self.sam.image_encoder.img_size
        if pixels.ndim != 4 or pixels.shape[1:] != (3, side, side):
            raise ModelError(
                f"the pixels are {tuple(pixels.shape)}, and this SAM's encoder takes (I, 3, {side}, {side})"
            )
        if not len(pixels):
            return pixels.new_zeros(0, self.channels, *self.grid)
        encoder = self.sam.image_encoder
        weights = list(encoder.parameters())
        pixels = pixels.to(weights[0].dtype)
        learns = torch.is_grad_enabled() and any(one.requires_grad for one in weights)
        step = len(pixels) if learns else max(1, _PIXELS // side**2)
        pieces = [encoder(pixels[start : start + step]) for start in range(0, len(pixels), step)]
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)

    def decode(
        self,
        embeddings: Tensor,
        image_of: Tensor,
        queries: Tensor,
        dense: Tensor | None = None,
        *,
        at_once: int | None = None,
    ) -> Decoded:
        """The masks of N spans in I images.

        `embeddings` (I, `channels`, h, w) of the images; `image_of` int64 (N,), the image of each span, in any order; `queries`
        (N, K, C), its sparse prompts (one token a span, K = 1); `dense` (N, C, h, w), its dense prompt, or None for SAM's
        "no mask". At most `at_once` spans are decoded together, which bounds memory (where no gradient is kept) and changes
        nothing else. Raises ModelError for shapes that don't fit, or for an image that isn't there.

        Each span gets its own copy of its image's embedding, once. Even the transformer's first layer can't share it among
        the spans of an image: its image side begins with the dense prompt, which differs from span to span, and ends with
        the image attending to the span's tokens.
        """
        self._check(embeddings, image_of, queries, dense)
        spans = len(image_of)
        if at_once is not None and at_once < 1:
            raise ModelError(f"at least 1 span is decoded at once, not {at_once}")
        positions = self.positions()[None]
        maps, wide = self._maps(embeddings)
        step = at_once or max(spans, 1)
        pieces = []
        for start in range(0, spans, step):
            piece = slice(start, start + step)
            own = None if dense is None else dense[piece]
            seen = [one.index_select(0, image_of[piece]) for one in maps]
            made, guessed, filters = self._decode(seen, queries[piece], own, positions)
            if wide is not None:
                made = made + convolutional.products(filters, wide, image_of[piece])
            pieces.append((made.float(), guessed.float()))
        if not pieces:
            height, width = self.grid
            return Decoded(queries.new_zeros(0, 4 * height, 4 * width).float(), queries.new_zeros(0).float())
        logits, iou = zip(*pieces, strict=True)
        return Decoded(torch.cat(logits), torch.cat(iou))

    def _maps(self, embeddings: Tensor) -> tuple[list[Tensor], Tensor | None]:
        """The maps of I images that each span gets a copy of, the coarsest first; and the wide one, if any, that none does."""
        if not self._fine:
            return [embeddings], None
        own, finest, finer = convolutional.unfold(embeddings, self.width)
        narrow, wide = torch.split(finest, [finest.shape[1] - self._wide, self._wide], 1)
        return [own, finer, narrow], wide if self._wide else None

    def _decode(
        self, maps: Sequence[Tensor], queries: Tensor, dense: Tensor | None, positions: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (n, 4h, 4w) and IoU (n,) of spans with their own images (n, C, h, w); filters (n, `wide`) of the wide map."""
        decoder = self.sam.mask_decoder
        outputs = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight])
        kind = outputs.dtype
        tokens = torch.cat([outputs.expand(len(queries), -1, -1), queries.to(kind)], dim=1)
        prompt = self.no_mask()[None, :, None, None] if dense is None else dense
        # The package repeats the positions for each prompt; one copy broadcasts to the same sums.
        images, *finer = maps
        states, image = decoder.transformer(images.to(kind) + prompt.to(kind), positions.to(kind), tokens)
        upscaled = self._upscaled(image.transpose(1, 2).reshape(images.shape), finer)
        # Tokens: the IoU's, then the masks'. Mask 0 is the single one; only its hypernetwork is needed.
        filters = decoder.output_hypernetworks_mlps[0](states[:, 1])
        logits = torch.einsum("nc,nchw->nhw", filters, upscaled)
        wide = filters[:, :0]
        if self._wide:
            wide = decoder.wide_filters(states[:, 1] + states[:, len(outputs) :].mean(1))
        iou = decoder.iou_prediction_head(states[:, 0])[:, 0]
        return logits, iou, wide

    def _upscaled(self, image: Tensor, finer: Sequence[Tensor]) -> Tensor:
        """(n, C / 8, 4h, 4w) of (n, C, h, w), in sight of the encoder's finer maps where it has any."""
        widen, norm, activate, again, at_last = self.sam.mask_decoder.output_upscaling
        image = widen(image)
        if finer:
            image = image + finer[0].to(image.dtype)
        image = again(activate(norm(image)))
        if finer:
            image = image + finer[1].to(image.dtype)
        made: Tensor = at_last(image)
        return made

    def _check(self, embeddings: Tensor, image_of: Tensor, queries: Tensor, dense: Tensor | None) -> None:
        """Raises ModelError for what `decode` can't use."""
        shape, spans = (self.width, *self.grid), len(image_of)
        carried = (self.channels, *self.grid)
        if embeddings.ndim != 4 or embeddings.shape[1:] != carried:
            raise ModelError(f"the image embeddings are {tuple(embeddings.shape)}, not (I, {_listed(carried)})")
        if image_of.ndim != 1 or image_of.dtype != torch.int64:
            raise ModelError(f"the images of the spans are {image_of.dtype} {tuple(image_of.shape)}, not int64 (N,)")
        if queries.ndim != 3 or len(queries) != spans or queries.shape[2] != self.width:
            raise ModelError(f"the queries are {tuple(queries.shape)}, not ({spans}, K, {self.width})")
        if dense is not None and dense.shape != (spans, *shape):
            raise ModelError(f"the dense prompts are {tuple(dense.shape)}, not ({spans}, {_listed(shape)})")
        if spans and not 0 <= int(image_of.min()) <= int(image_of.max()) < len(embeddings):
            raise ModelError(
                f"a span is in an image that is not among the {len(embeddings)} given",
                mend="Count the images of a batch from 0",
            )


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))
