"""Tiny random models of three families, made of transformers' own classes, with tokenizers of the two usual kinds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessor,
    Idefics3Processor,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from model.plum import pretrained
from model.plum.backbone import Backbone

CORPUS = [
    "Which visible parts does the airplane in the image have? It has a wing, a tail and a front wheel.",
    "The bicycle in the image has a handle bar, two pedals, and a saddle; it lacks a mudguard.",
    "Is the object in the image a mug or a teapot? It has a spout, so it is a teapot.",
    "user assistant USER: ASSISTANT: the legs and the left foot of the crane (bird) are visible.",
] * 4

#: Family → the words around its turns.
TEMPLATES = {
    "llava": "{% for m in messages %}{% if m.role == 'user' %}USER: {% for c in m.content %}{% if c.type == 'image' %}<image>\n"
    "{% else %}{{ c.text }}{% endif %}{% endfor %} {% else %}ASSISTANT: {{ m.content[0].text }}</s>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}",
    "qwen": "{% for m in messages %}<|im_start|>{{ m.role }}\n{% for c in m.content %}{% if c.type == 'image' %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "idefics": "<|im_start|>{% for m in messages %}{{ m.role | capitalize }}:{% for c in m.content %}{% if c.type == 'image' %}"
    "<image>{% else %} {{ c.text }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}",
}
FAMILIES = tuple(TEMPLATES)


def tokenizer(kind: str, special: list[str], **named: str) -> PreTrainedTokenizerFast:
    """A tokenizer trained on the corpus, `bytes` (GPT-2's kind) or `metaspace` (SentencePiece's, which puts its BOS first)."""
    one = Tokenizer(models.BPE(byte_fallback=kind == "metaspace", unk_token="<unk>" if kind == "metaspace" else None))
    single_bytes = [f"<0x{byte:02X}>" for byte in range(256)] if kind == "metaspace" else []
    if kind == "bytes":
        one.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        one.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    else:
        one.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Metaspace(prepend_scheme="first"), pre_tokenizers.Punctuation()]
        )
        one.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
        )
        alphabet = []
        special = ["<unk>", *special]
    trainer = trainers.BpeTrainer(
        vocab_size=700, special_tokens=special + single_bytes, initial_alphabet=alphabet, show_progress=False
    )
    one.train_from_iterator(CORPUS, trainer)
    # Single bytes are ordinary tokens, but a trainer takes in only single characters as such.
    described = json.loads(one.to_str())
    described["added_tokens"] = [token for token in described["added_tokens"] if token["content"] in special]
    one = Tokenizer.from_str(json.dumps(described))
    if kind == "metaspace":
        one.post_processor = processors.TemplateProcessing(
            single=f"{named['bos_token']} $A",
            special_tokens=[(named["bos_token"], one.token_to_id(named["bos_token"]))],
        )
    return PreTrainedTokenizerFast(tokenizer_object=one, **named)


def llava(tied: bool = False) -> tuple[Any, Any]:
    """LLaVA 1.5's kind: CLIP, two linear layers, Llama; 16 tokens a photograph."""
    words = tokenizer(
        "metaspace",
        ["<s>", "</s>", "<pad>", "<image>"],
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    )
    words.add_tokens(["<image>"], special_tokens=True)
    vision = CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8
    )
    text = LlamaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
        tie_word_embeddings=tied,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        tie_word_embeddings=tied,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )
    pixels = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    processor = LlavaProcessor(
        pixels,
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATES["llava"],
    )
    return LlavaForConditionalGeneration(config), processor


def qwen(tied: bool = False) -> tuple[Any, Any]:
    """Qwen2.5-VL's kind: as many tokens as the photograph's shape asks for, three axes of positions."""
    special = [
        "<|im_start|>",
        "<|im_end|>",
        "<|vision_start|>",
        "<|vision_end|>",
        "<|image_pad|>",
        "<|video_pad|>",
        "<pad>",
    ]
    words = tokenizer("bytes", special, eos_token="<|im_end|>", pad_token="<pad>")
    ids = {token: words.convert_tokens_to_ids(token) for token in special}
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(words),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "rope_parameters": {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0},
            "bos_token_id": None,
            "eos_token_id": words.eos_token_id,
            "tie_word_embeddings": tied,
        },
        tie_word_embeddings=tied,
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "patch_size": 14,
            "out_hidden_size": 32,
            "window_size": 56,
            "fullatt_block_indexes": [1],
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(min_pixels=28 * 28 * 4, max_pixels=28 * 28 * 16),
        words,
        Qwen2VLVideoProcessor(),
        chat_template=TEMPLATES["qwen"],
    )
    return Qwen2_5_VLForConditionalGeneration(config), processor


def idefics(tied: bool = False) -> tuple[Any, Any]:
    """Idefics3's kind: a photograph is cut into crops, with tokens between them."""
    special = ["<|im_start|>", "<end_of_utterance>", "<image>", "<fake_token_around_image>", "<global-img>", "<pad>"]
    special += [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    words = tokenizer("bytes", special, bos_token="<|im_start|>", eos_token="<end_of_utterance>", pad_token="<pad>")
    pixels = Idefics3ImageProcessor(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    processor = Idefics3Processor(pixels, words, image_seq_len=4, chat_template=TEMPLATES["idefics"])
    config = Idefics3Config(
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 32,
            "patch_size": 8,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": len(words),
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
            "pad_token_id": words.pad_token_id,
            "bos_token_id": words.bos_token_id,
            "eos_token_id": words.eos_token_id,
            "tie_word_embeddings": tied,
        },
        tie_word_embeddings=tied,
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=words.pad_token_id,
    )
    return Idefics3ForConditionalGeneration(config), processor


def saved(family: str, folder: Path, tied: bool = False, whole: bool = False) -> Path:
    """A family's tiny model, in the ordinary layout; `tied` if its head is its embeddings.

    `whole`: a LLaVA that squeezes photographs into its square, rather than crop their middle.

    Its random weights are the same each time, and large enough that each of them matters.
    """
    with torch.random.fork_rng(), pretrained.quiet(), torch.no_grad():
        torch.manual_seed(0)
        lmm, processor = {"llava": llava, "qwen": qwen, "idefics": idefics}[family](tied)
        for weight in lmm.parameters():
            weight.add_(torch.randn(weight.shape), alpha=0.1)
        if whole:
            processor.image_processor = CLIPImageProcessor(size={"height": 32, "width": 32}, do_center_crop=False)
        lmm.save_pretrained(folder)
        processor.save_pretrained(folder)
    return folder


def loaded(family: str, folder: Path) -> Backbone:
    """The same as a backbone, ready to be asked."""
    return Backbone.load(saved(family, folder)).eval()
