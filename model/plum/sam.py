"""SAM, the Segment Anything Model (Kirillov et al. 2023), of the package's own classes: at its official sizes or any other.

An official checkpoint is the state dictionary of `segment_anything`'s `Sam`, with nothing around it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
from segment_anything.modeling.mask_decoder import MLP
from torch import nn

from model.plum import checkpoint_file
from model.plum.checkpoint_file import Weights
from model.plum.convolutional import ConvEncoder
from model.plum.errors import ModelError


@dataclass(frozen=True, slots=True)
class SamConfig:
    """The sizes of a SAM. The defaults are those of the official `vit_b`."""

    image_size: int = 1024
    """Side of the square that photographs are padded to, in pixels."""
    patch_size: int = 16
    """Side of what becomes one position of the embedding, in pixels; a multiple of 4."""
    encoder_width: int = 768
    encoder_depth: int = 12
    encoder_heads: int = 12
    encoder_mlp_ratio: float = 4.0
    encoder_window: int = 14
    """Side of the windows that most layers attend in, in positions."""
    encoder_global_layers: tuple[int, ...] = (2, 5, 8, 11)
    """The layers that attend to the whole image."""
    prompt_width: int = 256
    """C: the width of image embeddings, prompts and the mask decoder."""
    mask_in_chans: int = 16
    """Channels inside the encoder of masks."""
    decoder_depth: int = 2
    decoder_heads: int = 8
    decoder_mlp_width: int = 2048
    multimask_outputs: int = 3
    """Masks beside the single one, for ambiguous prompts. PLUM doesn't ask for them; official checkpoints have them."""
    iou_head_depth: int = 3
    iou_head_width: int = 256
    convolutions: tuple[tuple[int, int], ...] = ()
    """Width and residual blocks of three strides or more, if the encoder is one of convolutions (see `convolutional`)."""
    wide: int = 0
    """Channels of such an encoder's finest map that masks are also products of, without a detour."""
    pixel_mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    """Of red, green and blue, on the scale of 0 to 255."""
    pixel_std: tuple[float, float, float] = (58.395, 57.12, 57.375)

    def __post_init__(self) -> None:
        """Raises ModelError for sizes that don't fit each other."""
        numbers = (getattr(self, name) for name in self.__slots__ if name != "wide")
        _require(all(number > 0 for number in numbers if isinstance(number, int | float)), "its sizes must be positive")
        _require(self.patch_size % 4 == 0, f"its patches must be a multiple of 4 pixels, not {self.patch_size}")
        _require(self.image_size % self.patch_size == 0, "its image size must be a whole number of patches")
        _require(self.encoder_width % self.encoder_heads == 0, "its encoder's heads must divide the encoder's width")
        halves = 2 * self.decoder_heads
        _require(self.prompt_width % halves == 0, f"its decoder's heads, twice, must divide {self.prompt_width}")
        _require(self.prompt_width % 8 == 0, "its prompt width must be a multiple of 8")
        _require(len(self.convolutions) not in (1, 2), "its convolutions have three strides or more")
        _require(self.wide >= 0, "it can't have less than no wide channels")
        _require(not self.wide or bool(self.convolutions), "only an encoder of convolutions has wide channels")
        _require(self.mask_in_chans % 4 == 0, "its mask channels must be a multiple of 4")
        inside = all(0 <= layer < self.encoder_depth for layer in self.encoder_global_layers)
        _require(inside, f"its global layers must be among 0 to {self.encoder_depth - 1}")

    @property
    def grid(self) -> int:
        """Side of the image embedding, in positions."""
        return self.image_size // self.patch_size

    @property
    def mask_size(self) -> int:
        """Side of the decoder's masks, in cells: four for each position."""
        return 4 * self.grid

    @classmethod
    def named(cls, name: str) -> SamConfig:
        """The sizes of a name in `CONFIGS`. Raises ModelError for another."""
        if name not in CONFIGS:
            raise ModelError(f"there is no SAM named {name!r}", mend=f"Known: {', '.join(CONFIGS)}")
        return CONFIGS[name]


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ModelError(f"there can be no such SAM: {what}")


_TINY: Final = SamConfig(
    image_size=128,
    patch_size=8,
    encoder_width=96,
    encoder_depth=4,
    encoder_heads=4,
    encoder_window=8,
    encoder_global_layers=(1, 3),
    prompt_width=64,
    decoder_heads=4,
    decoder_mlp_width=256,
    iou_head_width=64,
)
#: The official sizes, and two small ones: of SAM's form, and one that learns on a laptop's processor (0.8 M parameters).
CONFIGS: Final[Mapping[str, SamConfig]] = {
    "vit_b": SamConfig(),
    "vit_l": SamConfig(encoder_width=1024, encoder_depth=24, encoder_heads=16, encoder_global_layers=(5, 11, 17, 23)),
    "vit_h": SamConfig(encoder_width=1280, encoder_depth=32, encoder_heads=16, encoder_global_layers=(7, 15, 23, 31)),
    "tiny": _TINY,
    "tiny_conv": replace(
        _TINY,
        convolutions=((16, 0), (32, 1), (64, 2), (64, 1), (64, 1)),
        wide=32,
        prompt_width=32,
        mask_in_chans=8,
        decoder_depth=1,
        decoder_mlp_width=64,
        iou_head_width=32,
    ),
}


def build(config: SamConfig) -> Sam:
    """A SAM of these sizes with fresh weights, drawn from torch's generator; set up as the package does its official ones."""
    made = Sam(
        image_encoder=_encoder(config),
        prompt_encoder=PromptEncoder(
            embed_dim=config.prompt_width,
            image_embedding_size=(config.grid, config.grid),
            input_image_size=(config.image_size, config.image_size),
            mask_in_chans=config.mask_in_chans,
        ),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=config.multimask_outputs,
            transformer=TwoWayTransformer(
                depth=config.decoder_depth,
                embedding_dim=config.prompt_width,
                mlp_dim=config.decoder_mlp_width,
                num_heads=config.decoder_heads,
            ),
            transformer_dim=config.prompt_width,
            activation=nn.ReLU if config.convolutions else nn.GELU,
            iou_head_depth=config.iou_head_depth,
            iou_head_hidden_dim=config.iou_head_width,
        ),
        pixel_mean=list(config.pixel_mean),
        pixel_std=list(config.pixel_std),
    )
    if config.wide:
        made.mask_decoder.wide_filters = MLP(config.prompt_width, config.prompt_width, config.wide, 2)
    return made


def _encoder(config: SamConfig) -> nn.Module:
    if config.convolutions:
        return ConvEncoder(config.image_size, config.patch_size, config.convolutions, config.prompt_width, config.wide)
    encoder: nn.Module = ImageEncoderViT(
        img_size=config.image_size,
        patch_size=config.patch_size,
        embed_dim=config.encoder_width,
        depth=config.encoder_depth,
        num_heads=config.encoder_heads,
        mlp_ratio=config.encoder_mlp_ratio,
        out_chans=config.prompt_width,
        qkv_bias=True,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=config.encoder_window,
        global_attn_indexes=config.encoder_global_layers,
    )
    return encoder


def load_official(path: Path, sizes: str | SamConfig) -> Sam:
    """A SAM with the weights of a checkpoint (`sam_vit_*.pth`, or the same tensors as `.safetensors`).

    `sizes` are a name, as `vit_b`, or the sizes themselves. Nothing but tensors is unpickled. Raises ModelError where the
    file can't be read, where its tensors are not exactly those of that SAM in name and shape, or are not finite numbers.
    """
    config = SamConfig.named(sizes) if isinstance(sizes, str) else sizes
    weights = checkpoint_file.read(path)
    sam = build(config)
    _check(weights, sam.state_dict(), path, config)
    sam.load_state_dict(weights, strict=True)
    return sam


def _check(weights: Weights, wanted: Weights, path: Path, config: SamConfig) -> None:
    """Raises ModelError unless `weights` has the names and shapes of `wanted`."""
    what = checkpoint_file.faults(weights, wanted)
    if what:
        shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
        raise ModelError(f"this is not a checkpoint of that SAM: {what}", where=str(path), mend=_better(shapes, config))


def _better(shapes: Mapping[str, tuple[int, ...]], config: SamConfig) -> str:
    """What to do about a checkpoint whose tensors have these shapes, and which is not one of `config`."""
    for name, other in CONFIGS.items():
        piece, shape = _telling(other)
        if other != config and shapes.get(piece) == shape:
            return f"It looks like a {name}: name that size"
    return "Name the size of the SAM that it is of"


def _telling(config: SamConfig) -> tuple[str, tuple[int, ...]]:
    """A weight that a SAM of these sizes has, and its shape, which others haven't."""
    if config.convolutions:
        return "image_encoder.stages.0.0.weight", (config.convolutions[0][0], 3, 3, 3)
    return "image_encoder.pos_embed", (1, config.grid, config.grid, config.encoder_width)
