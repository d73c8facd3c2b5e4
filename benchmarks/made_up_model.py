"""Models of the shape of LLaVA 1.5 and SAM with random weights, at sizes that a laptop's processor trains; and a tokenizer.

They learn nothing worth having, but take the time and the memory of models of their size.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
from tokenizers.models import BPE

from model.plum import sam
from model.plum.adapters import LoraConfig
from model.plum.backbone import Backbone
from model.plum.config import PlumConfig
from model.plum.losses import LossConfig
from model.plum.mask_feedback import FeedbackConfig
from model.plum.model import Plum
from model.plum.segmenter import Segmenter
from model.plum.span_extractor import SpanExtractorConfig

#: `<s>` is not put before a text by the tokenizer, but by the chat template, as it stands there once.
_SPECIAL: Final = ("<s>", "</s>", "<pad>", "<image>")
_TEMPLATE: Final = (
    "<s>{% for turn in messages %}{% if turn['role'] == 'user' %}USER: {% for part in turn['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}{% endfor %} "
    "{% else %}ASSISTANT: {{ turn['content'][0]['text'] }}</s>{% endif %}{% endfor %}"
)


@dataclass(frozen=True)
class Size:
    """What is made, and how much is measured on it."""

    hidden: int
    """Of the language model; its feed-forward layers are 2.7 times as wide, as Llama's."""
    layers: int
    heads: int
    image: int
    """Side of what the vision tower sees, in pixels."""
    patch: int
    vision: int
    """Width of the vision tower."""
    vision_layers: int
    sam: Literal["tiny", "vit_b"]
    sam_image: int
    """Side of what SAM sees, in pixels."""
    batch: int
    """Samples in a step."""
    at_once: int
    """Samples in one of our forward passes."""
    steps: int
    """That are timed."""
    warm_up: bool
    """Whether a step that isn't timed goes before."""


SIZES: Final = {
    "smallest": Size(32, 2, 4, 32, 8, 32, 1, "tiny", 128, batch=2, at_once=2, steps=1, warm_up=False),
    "tiny": Size(256, 6, 8, 112, 8, 128, 4, "tiny", 128, batch=8, at_once=4, steps=3, warm_up=True),
    "medium": Size(768, 12, 12, 224, 14, 384, 8, "vit_b", 512, batch=6, at_once=6, steps=1, warm_up=True),
}


def tokenizer(texts: Iterable[str]) -> Tokenizer:
    """A byte-level tokenizer trained on texts, of at most 2,000 tokens."""
    made = Tokenizer(BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=2000, special_tokens=list(_SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator([*texts, "USER: ASSISTANT: "], trainer)
    return made


def model(size: Size, words: Tokenizer) -> Plum:
    """A PLUM of that size, the same each time: adapters, span extractor, feedback, and its frozen self as the teacher.

    It has no dropout, so that two ways of computing the same give the same. All that trains has moved a little, as
    adapters that are still 0 would have no drift and teach half of themselves nothing.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = PlumConfig(
            backbone="made up",
            sam="random",
            sam_size=size.sam,
            lora=LoraConfig(dropout=0.0),
            spans=SpanExtractorConfig(dropout=0.0),
            feedback=FeedbackConfig(),
            losses=LossConfig(),
        )
        sizes = replace(sam.SamConfig.named(size.sam), image_size=size.sam_image)
        plum = Plum(config, Backbone(*_llava(size, words)), Segmenter(sam.build(sizes)))
        plum.sam_config = sizes
        with torch.no_grad():
            for weight in plum.parameters():
                if weight.requires_grad:
                    weight.add_(torch.randn_like(weight), alpha=0.02)
    return plum


def _llava(size: Size, words: Tokenizer) -> tuple[Any, Any]:
    """A model of `transformers`, and its processor."""
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    fast: Any = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>", pad_token="<pad>")  # type: ignore[no-untyped-call]
    fast.add_special_tokens({"additional_special_tokens": ["<image>"]})
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=size.vision,
            intermediate_size=4 * size.vision,
            num_hidden_layers=size.vision_layers,
            num_attention_heads=max(1, size.vision // 64),
            image_size=size.image,
            patch_size=size.patch,
        ),
        text_config=LlamaConfig(
            vocab_size=len(fast),
            hidden_size=size.hidden,
            intermediate_size=int(2.7 * size.hidden),
            num_hidden_layers=size.layers,
            num_attention_heads=size.heads,
            num_key_value_heads=size.heads,
            max_position_embeddings=1024,
            bos_token_id=fast.bos_token_id,
            eos_token_id=fast.eos_token_id,
            pad_token_id=fast.pad_token_id,
        ),
        image_token_index=fast.convert_tokens_to_ids("<image>"),
        image_seq_length=(size.image // size.patch) ** 2,
    )
    side = {"height": size.image, "width": size.image}
    processor = LlavaProcessor(  # type: ignore[no-untyped-call]
        CLIPImageProcessor(size={"shortest_edge": size.image}, crop_size=side),
        fast,
        patch_size=size.patch,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )
    return LlavaForConditionalGeneration(config), processor
