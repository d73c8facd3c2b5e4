"""The tiny parts before they have learned anything: a tokenizer, a language model that sees, a SAM.

All are of the libraries' own classes (transformers' LLaVA: a vision tower, a projector, Llama; segment-anything's SAM), so that
their checkpoints are ordinary ones. The tower is SegFormer's: its patches overlap and its layers convolve, so that it soon learns
what lies where. CLIP's tower, of the same size, told the outline of 8 % of cells after 15,000 views of scenes, this one that of
23 % after 2,400.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from model.tiny import invented

#: Pixels of the square that a photograph is squeezed into for the language model, and of one of its patches.
IMAGE: Final = 128
PATCH: Final = 16
VOCABULARY: Final = 1536
LONGEST: Final = 512
_SPECIAL: Final = ("<pad>", "<s>", "</s>", "<image>")
_TEMPLATE: Final = (
    "{% for message in messages %}{% if message.role == 'user' %}Q: {% for one in message.content %}"
    "{% if one.type == 'image' %}<image>{% else %}{{ one.text }}{% endif %}{% endfor %}\n"
    "{% else %}A: {{ message.content[0].text }}</s>\n{% endif %}{% endfor %}{% if add_generation_prompt %}A:{% endif %}"
)


def tokenizer(seed: int) -> Any:
    """A byte-level BPE tokenizer of captions of invented objects, and of common English words."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Punctuation(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=list(_SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(_corpus(seed), trainer)
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", model_max_length=LONGEST
    )


def processor(seed: int) -> Any:
    """Tokenizer and image processor: a photograph is squeezed into a square, nothing of it cut off."""
    from transformers import CLIPImageProcessor, LlavaProcessor

    words = tokenizer(seed)
    words.add_tokens(["<image>"], special_tokens=True)
    pixels = CLIPImageProcessor(size={"height": IMAGE, "width": IMAGE}, do_center_crop=False)
    return LlavaProcessor(  # type: ignore[no-untyped-call]
        pixels,
        words,
        patch_size=PATCH,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=0,
        chat_template=_TEMPLATE,
    )


def language_model(words: Any) -> Any:
    """A LLaVA of some 1.3 million weights, from torch's generator."""
    from transformers import LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, SegformerConfig

    sizes: dict[str, Any] = {
        "num_encoder_blocks": 3,
        "depths": (1, 2, 2),
        "strides": (4, 2, 2),  # together a patch
        "patch_sizes": (7, 3, 3),
        "hidden_sizes": (32, 64, 96),
        "num_attention_heads": (1, 2, 4),
        "mlp_ratios": (4, 4, 4),
        "sr_ratios": (4, 2, 1),
        "drop_path_rate": 0.0,
        "reshape_last_stage": False,
        # What LLaVA asks of its tower, and SegFormer has no use for.
        "hidden_size": 96,
        "image_size": IMAGE,
    }
    vision = SegformerConfig(**sizes)
    text = LlamaConfig(
        vocab_size=len(words),
        hidden_size=128,
        intermediate_size=352,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=LONGEST,
        tie_word_embeddings=True,
        pad_token_id=words.pad_token_id,
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        image_seq_length=(IMAGE // PATCH) ** 2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=True,
    )
    return LlavaForConditionalGeneration(config)


def _corpus(seed: int) -> Iterator[str]:
    """Text that the vocabulary is made of: invented names, and the English of questions about parts."""
    yield from invented.words(seed, 400, "vocabulary")
    yield from _ENGLISH * 20


#: Words for things and their pieces, as they come in any text; so that a name is a token or two, and not a row of letters.
_NOUNS: Final = (
    "left right upper lower inner outer rear side front back top bottom middle end edge corner half other pair set kind",
    "seat door window wing tail leg foot eye ear nose mouth neck arm hand head body face hair skin bone tooth tongue lip chin",
    "knee elbow shoulder finger thumb heel toe chest belly hip torso muzzle snout beak horn hoof paw claw fin feather fur mane",
    "wheel tire rim hub axle engine motor light lamp headlight mirror bumper plate roof hood trunk brake pedal chain gear frame",
    "fork saddle handlebar bell propeller rudder mast sail hull deck stern bow anchor cabin cockpit nose tail fuselage canopy",
    "handle knob lid cap spout base stem neck body rim cover button switch screen key cable cord plug socket strap buckle",
    "blade shaft hilt grip tip point bristle brush nail screw bolt nut hinge lock latch spring pivot ferrule collar sleeve",
    "table chair bench sofa stool bed desk shelf drawer cushion pillow back arm rest board lamp shade pot pan cup mug bowl",
    "jar jug bottle glass plate saucer fork spoon knife kettle teapot vase box bag basket bucket can tube pipe hose tank",
    "car bus truck van train tram bicycle motorcycle boat ship canoe airplane helicopter rocket tractor wagon cart sled",
    "dog cat horse cow sheep goat pig deer bear wolf fox lion tiger rabbit mouse bird hen duck goose swan eagle owl parrot",
    "fish shark whale frog snake lizard turtle spider bee ant butterfly tree flower leaf root branch trunk fruit seed thorn",
    "hammer saw drill wrench pliers axe shovel rake hoe broom mop ladder rope wire needle thread button scissors stapler",
    "clock watch phone camera radio television guitar piano drum violin book pen pencil ruler paper coin ring crown hat cap",
    "shirt coat dress shoe boot sock glove belt scarf tie pocket collar zipper house wall floor ceiling chimney tower bridge",
    "front wheel, back wheel, left leg, right arm, rear door, side window, steering wheel, license plate, tail light, seat back",
)

_ENGLISH: Final = (
    "Which parts of the object in the image can be clearly seen? Name all of them, and nothing else.",
    "a hexagon thing, a leaf wide, an oval, a round box, a taper, a flare, a drop, a dome, a bowl, a funnel, a cone, a ring,"
    " a hoop, a triangle, a spike, an ear, a loop, an arch, a star, a cross, an ellipse.",
    "Give the complete list of what is visible, with nothing added, leaving none out.",
    "It shows the body, the head, the front wheel, and the back wheel; it would not have a handle or a lid.",
    "What is missing here, and what would another one have as well? Only these, and no other part.",
    "Where is it? At the top left, the center, the bottom right, the middle. Yes, it does. No, it shows none.",
    "You will be asked to name the object. Tell me exactly what you would label, both here and there.",
    *_NOUNS,
)
