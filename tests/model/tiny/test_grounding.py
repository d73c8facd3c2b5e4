"""Both parts together: masks are asked for by the states of the names that captions have, and both parts learn of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from model.plum import pictures, sam
from model.plum.backbone import Backbone
from model.plum.losses import LossConfig
from model.plum.segmenter import Segmenter
from model.tiny import captions, choosing, grounding, language, masks, parts, scenes
from model.tiny.grounding import Both

DICE = LossConfig(overlap=1.0, bce=1.0, overlap_kind="dice")


@pytest.fixture(scope="module")
def both() -> Both:
    torch.manual_seed(5)
    sizes = sam.SamConfig.named("tiny_conv")
    processor = parts.processor(5)
    segmenter = Segmenter(sam.build(sizes), freeze_encoder=False, freeze_iou_head=False)
    return Both(Backbone(parts.language_model(processor.tokenizer), processor), segmenter, sizes)


def test_names_ask_for_the_masks_of_what_they_name(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [scenes.draw(5, number, "fresh") for number in range(3)]
    said = [captions.captions(one, 5, number, 5) for number, one in enumerate(drawn)]
    asked: list[masks.Asked] = []
    of_masks = masks.of_masks

    def kept(decoded: Any, given: masks.Asked, config: LossConfig) -> Any:
        asked.append(given)
        return of_masks(decoded, given, config)

    monkeypatch.setattr(masks, "of_masks", kept)
    lists = [choosing.lists(one, 5, number) for number, one in enumerate(drawn)]
    _, measured = grounding.loss_of(both, drawn, said, lists, DICE, 1, named=4)
    of_masks_alone = {"iou", "found", "grouped", "regions", "looks"}
    of_both = {"tokens", "seen", "pointed", "attended", "chosen", "named", "looks_named"}
    assert set(measured) == of_masks_alone | of_both
    named = asked[-1]
    assert len(named.prompts) == sum(min(4, sum(len(one.named) for one in talk)) for talk in said)
    _, placements = pictures.prepare_all([one.image for one in drawn], both.sizes)
    for image, target in zip(named.image_of.tolist(), named.targets, strict=True):
        there = [mask for talk in said[image] for _, _, mask in talk.named]
        due = pictures.targets_of(there, [placements[image]] * len(there), both.sizes.mask_size).coverage
        assert any(torch.equal(target, one) for one in due)


def test_a_name_is_read_where_it_is_spelled(both: Both) -> None:
    """The states that a mask is asked with are those of the tokens that spell the name."""
    drawn = scenes.draw(5, 4, "fresh")
    said = captions.captions(drawn, 5, 4, 5)
    talk = language.conversation(both.backbone, both.backbone.picture(drawn.image), said)
    names = [caption.answer[start:end] for caption in said for start, end, _ in caption.named]
    assert names
    for name, (first, last, _) in zip(names, talk.named, strict=True):
        assert both.backbone.renderer.tokenizer.decode(talk.ids[first : last + 1]).strip() == name


def test_both_parts_learn_from_the_masks_of_names(both: Both) -> None:
    drawn = [scenes.draw(5, number, "shared") for number in range(2)]
    said = [captions.captions(one, 5, number, 5) for number, one in enumerate(drawn)]
    heard = language.hear(both.backbone, both.seen_head, drawn, said)
    first, last, _ = heard.conversations[0].named[0]
    both.zero_grad()
    both.query(heard.states, torch.tensor([0]), torch.tensor([first]), torch.tensor([last])).sum().backward()
    assert reached(both) == {"backbone", "query"}
    both.zero_grad()
    grounding.loss_of(both, drawn, said, [None, None], DICE, 1, named=4)[0].backward()
    assert reached(both) == {"backbone", "segmenter", "seen_head", "point_head", "beside", "query"}


def reached(both: Both) -> set[str]:
    """What a gradient has got to."""
    return {name.split(".")[0] for name, one in both.named_parameters() if one.grad is not None and one.grad.any()}


def test_what_each_learned_alone_is_taken_over(both: Both) -> None:
    torch.manual_seed(6)
    other = Both(both.backbone, Segmenter(sam.build(both.sizes)), both.sizes)

    def more(name: str, by: float = 1) -> dict[str, torch.Tensor]:
        return {key: one + by for key, one in getattr(both, name).state_dict().items()}

    def under(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {f"{prefix}.{key}": one for key, one in state.items()}

    of_masks = {**under("part", more("segmenter")), **under("beside", more("beside"))}
    of_captions = {
        **under("part", more("backbone", 0)),
        **under("head", more("seen_head")),
        **under("point_head", more("point_head")),
    }
    other.take(of_masks, of_captions)
    for name in ("segmenter", "beside", "seen_head", "point_head"):
        found, due = getattr(other, name).state_dict(), more(name)
        assert all(torch.equal(found[key], due[key]) for key in due)
    with pytest.raises(RuntimeError, match="Missing key"):
        other.take({}, of_captions)
