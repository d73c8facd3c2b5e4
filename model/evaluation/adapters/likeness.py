"""Whether a class of `transformers` computes what the parts of it compute that are used here: judged by its own forward pass."""

from __future__ import annotations

from typing import Any, Final

import torch
from PIL import Image
from torch import Tensor

from model.plum.backbone import Backbone, Picture
from model.plum.errors import ModelError

#: What a class raises that isn't built as those are that can be asked.
_UNLIKE: Final = (AttributeError, IndexError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)
#: How far the scores of the next token may be from the class's own, as a share of the largest of them: rounding.
_ROUNDING: Final = {torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.02}


@torch.no_grad()
def check(backbone: Backbone, where: str) -> None:
    """Raises ModelError for a class whose own forward pass gives other scores than the parts of it that are used here.

    Families differ in how features enter the decoder, in positions and in what may see what. One that is read in another way
    than it was trained in would be measured, and look bad.
    """
    mend = "Known are the families of LLaVA, Qwen2.5-VL and Idefics3; others may be asked through a server (api:NAME)"
    kind = type(backbone.plain).__name__
    grey = Image.new("RGB", (64, 48), (127, 127, 127))
    try:
        shown = backbone.picture(grey)
        ids = backbone.renderer.answered(backbone.renderer.prompt(shown.replacement, "What is it?"), "A cup.").ids
        texts = backbone.texts([ids], [shown])
        mine = backbone.logits(backbone.states(texts, backbone.features([shown])))
        theirs = _own_logits(backbone, shown, texts.ids)
    except ModelError as error:
        raise ModelError(error.what, where=where, mend=error.mend or mend) from error
    except _UNLIKE as error:
        raise ModelError(f"a model of the class {kind} can't be asked here", where=where, mend=mend) from error
    largest = float(theirs.abs().max())
    if not float((mine - theirs).abs().max()) <= _ROUNDING[backbone.plain.dtype] * largest:
        raise ModelError(
            f"a model of the class {kind} would be read in another way than its own", where=where, mend=mend
        )


def _own_logits(backbone: Backbone, shown: Picture, ids: Tensor) -> Tensor:
    """Float32 (1, T, vocabulary): by the class's own forward pass."""
    token = backbone.renderer.image_token
    made = backbone.processor(text=[token], images=[Image.new("RGB", (64, 48))], return_tensors="pt")
    kinds = {name for name in ("mm_token_type_ids", "token_type_ids") if name in made}
    inputs: dict[str, Any] = {name: value.to(backbone.device) for name, value in shown.inputs.items()}
    inputs |= dict.fromkeys(kinds, (ids == backbone.image_token_id).long())
    out = backbone.plain(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **inputs)
    return torch.as_tensor(out.logits).float()
