"""The settings of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from model.plum.adapters import LoraConfig
from model.plum.cutting import Cut
from model.plum.errors import ModelError
from model.plum.losses import LossConfig
from model.plum.mask_feedback import FeedbackConfig
from model.plum.queries import QueryConfig
from model.plum.span_extractor import SpanExtractorConfig


@dataclass(frozen=True)
class TrainableConfig:
    """Which weights train. Those that are PLUM's own always do."""

    language: Literal["adapters", "all", "none"] = "adapters"
    """`adapters`: low-rank ones, all else frozen."""
    vision: bool = False
    """The vision tower and its projector."""
    mask_decoder: bool = True
    image_encoder: bool = False
    """SAM's: if frozen, its embeddings may be kept on disk."""


@dataclass(frozen=True)
class PlumConfig:
    """What a model is made of."""

    backbone: str
    """A folder in the layout of `transformers`, or a name of its hub; `shipped:…` for one that comes with the package."""
    sam: str = "random"
    """A checkpoint in the layout of the official `sam_vit_*`; `random` for fresh weights, `shipped:…` as above."""
    sam_size: Literal["tiny", "tiny_conv", "vit_b", "vit_l", "vit_h"] = "tiny"
    """Its size; `tiny` and `tiny_conv` are this project's own."""
    marking: Literal["tags", "seg_token"] = "tags"
    """How part names are found: `tags` of the span extractor (PLUM), or a `[SEG]` token after each (LISA)."""
    lora: LoraConfig = field(default_factory=LoraConfig)
    spans: SpanExtractorConfig = field(default_factory=SpanExtractorConfig)
    query: QueryConfig = field(default_factory=QueryConfig)
    shared_sight: bool = False
    """Beside the paper's: the language model sees what SAM's encoder does (`sharing`)."""
    feedback: FeedbackConfig | None = field(default_factory=FeedbackConfig)
    """Null: each mask is made without seeing the earlier ones."""
    grounding: float = 0.0
    """Beside the paper's: what the masks of a choice's parts weigh beside its log-likelihood (`grounding`); 0: nothing."""
    cut: Cut = "half"
    """Which pixels a mask takes: those that are more likely inside than not, as SAM does, or beside the paper's as many of the
    likeliest as give the greatest IoU that can be expected (`cutting`)."""
    losses: LossConfig = field(default_factory=LossConfig)
    trainable: TrainableConfig = field(default_factory=TrainableConfig)
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Of what stays of the backbone as it is; all that trains, and all else, is float32."""

    def checked(self) -> PlumConfig:
        """The same. Raises ModelError for settings that contradict each other."""
        if self.losses.kl > 0 and (self.trainable.language != "adapters" or self.trainable.vision):
            raise ModelError(
                "the frozen teacher of the loss `kl` is this model without its adapters, but other weights of it would train",
                mend="Set losses.kl to 0, or trainable.language to adapters and trainable.vision to false",
            )
        if self.losses.choice > 0 and self.marking == "seg_token":
            raise ModelError(
                "the loss `choice` reads choices without `[SEG]` tokens, which is not what this model writes",
                mend="Set losses.choice to 0",
            )
        for name in ("renamed", "reworded"):
            if not 0 <= (share := getattr(self.spans, name)) <= 1:
                raise ModelError(f"spans.{name} is a share of answers, and can't be {share}", mend="Set it from 0 to 1")
        if self.grounding and self.marking == "seg_token":
            raise ModelError(
                "choices of a model with `[SEG]` tokens are by likelihood alone", mend="Set grounding to 0"
            )
        if (self.query.words or self.losses.patches > 0) and self.marking == "seg_token":
            raise ModelError(
                "the span of a part is its `[SEG]` token, whose embedding doesn't tell one part from another",
                mend="Set query.words to false, and losses.patches to 0",
            )
        if self.losses.kl > 0 and self.marking == "seg_token":
            raise ModelError(
                "with `[SEG]` tokens the embeddings train, so that the model is not its own frozen teacher",
                mend="Set losses.kl to 0",
            )
        return self
