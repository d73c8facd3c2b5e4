"""A training step: each loss against a slow computation answer by answer, and what its gradients reach."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from model.plum import losses
from model.plum.adapters import LoraConfig
from model.plum.batch import Batch, counts
from model.plum.config import TrainableConfig
from model.plum.errors import ModelError
from model.plum.losses import LossConfig
from model.plum.model import Plum
from tests.model.plum.tiny import PHOTOGRAPHS, QUESTION, TOLD, Told, batch_of, fresh, gradients_of, trained

EVERYTHING = LossConfig(choice=1.0)


@pytest.fixture(scope="module")
def plum(family: str, folder_of: Callable[[str], Path]) -> Plum:
    """Each family's model with all its losses, after it was moved. Not changed by the tests."""
    return trained(folder_of(family), losses=EVERYTHING)


@pytest.fixture(scope="module")
def llava(folder_of: Callable[[str], Path]) -> Callable[..., Plum]:
    return lambda **settings: trained(folder_of("llava"), **settings)


def read(plum: Plum, told: Told, answer: str) -> tuple[Tensor, Tensor]:
    """States and logits of a question with an answer, by the family's own forward pass; and the answer's place from the end."""
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": QUESTION}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]
    text = plum.backbone.processor.apply_chat_template(messages, tokenize=False)
    image = PHOTOGRAPHS[told.photograph]
    inputs = plum.backbone.processor(text=[text], images=[image], return_tensors="pt")
    out = plum.backbone.lmm(**inputs, output_hidden_states=True, use_cache=False)
    return out.hidden_states[-1][0], out.logits[0].log_softmax(-1)


def oracle(plum: Plum, batch: Batch, true_ones: bool) -> dict[str, float]:
    """The sums of all losses, one answer and one span after the other, later ones shown `true_ones` or the model's own."""
    found = dict.fromkeys(losses.TERMS, 0.0)
    embeddings = plum.segmenter.sam.image_encoder(batch.pixels)
    positions, no_mask = plum.segmenter.positions(), plum.segmenter.no_mask()
    span, choice = 0, 0
    for number, (told, one) in enumerate(zip(TOLD, batch.rendered, strict=True)):
        states, likely = read(plum, told, told.answer)
        found["lm"] -= sum(float(likely[n - 1, one.ids[n]]) for n in range(one.n_prompt, len(one.ids)))
        answer = states[one.n_prompt : one.n_prompt + one.n_answer]
        assert plum.extractor is not None
        tags = plum.extractor(answer[None], torch.ones(1, len(answer), dtype=torch.bool))[0].log_softmax(-1)
        true = batch.tags[number, : one.n_answer].tolist()
        found["span"] -= sum(
            plum.config.losses.span_weights[t] * float(row[t]) for row, t in zip(tags, true, strict=True)
        )
        with plum.backbone.lmm.disable_adapter():
            teacher = read(plum, told, told.answer)[0][one.n_prompt :]
        maps: list[Tensor] = []
        while span < len(batch.spans) and batch.spans.row[span] == number:
            place = slice(int(batch.spans.first[span]), int(batch.spans.last[span]) + 1)
            found["kl"] += float((answer[place].mean(0) - teacher[place].mean(0)).square().sum()) / 2
            query = plum.query.mlp(answer[place]).mean(0)
            picture, dense = batch.picture_of[number : number + 1], None
            if maps:
                valid = torch.ones(1, len(maps), dtype=torch.bool)
                dense = plum.feedback.pool(torch.stack(maps)[None], valid, positions, no_mask)  # type: ignore[union-attr]
            logits = plum.segmenter.decode(embeddings, picture, query[None, None], dense).logits
            seen = 20 * batch.targets[span : span + 1] - 10 if true_ones else logits
            maps.append(plum.feedback.encode(seen, query[None])[0])  # type: ignore[union-attr]
            for term, value in losses.of_masks(
                logits, batch.targets[span : span + 1], batch.valid[picture], plum.config.losses
            ).items():
                found[term] += float(value)
            span += 1
        scores = []
        for text in told.choices:
            _, likely = read(plum, told, text)
            assert batch.choices is not None
            their = batch.choices.rendered[choice]
            scores.append(sum(float(likely[n - 1, their.ids[n]]) for n in range(their.n_prompt, len(their.ids))))
            choice += 1
        found["choice"] -= float(torch.tensor(scores).log_softmax(0)[0])
    return found


@torch.no_grad()
@pytest.mark.parametrize("true_ones", [False, True])
def test_each_loss_is_the_sum_over_answers_and_spans_taken_one_by_one(plum: Plum, true_ones: bool) -> None:
    batch = batch_of(plum, choices=True)
    found, wanted = plum(batch, truth=float(true_ones)), oracle(plum, batch, true_ones)
    assert found.keys() == set(losses.TERMS) - {"patches"}
    for term, value in found.items():
        assert float(value) == pytest.approx(wanted[term], rel=1e-3), term
        assert float(value) > 1e-3, term


@torch.no_grad()
def test_the_loss_of_patches_compares_them_with_the_embeddings_of_names(folder_of: Callable[[str], Path]) -> None:
    plum = trained(folder_of("llava-whole"), losses=LossConfig(patches=1.0))
    batch = batch_of(plum)
    features, embeddings = plum.backbone.features(batch.pictures), plum.backbone.plain.get_input_embeddings().weight
    side = round(len(features[0]) ** 0.5)
    wanted = 0.0
    for n, (row, first, last) in enumerate(zip(batch.spans.row, batch.spans.first, batch.spans.last, strict=True)):
        one, picture = batch.rendered[row], batch.picture_of[row]
        tokens = embeddings[list(one.ids)][one.n_prompt + first : one.n_prompt + last + 1]
        name = (tokens / tokens.square().mean(1, keepdim=True).sqrt()).mean(0)
        logits = features[picture] @ name / plum.backbone.hidden**0.5 - 2
        valid = batch.valid[picture]
        height, width = int(valid.any(1).sum()), int(valid.any(0).sum())
        shares = functional.adaptive_avg_pool2d(batch.targets[n : n + 1, :height, :width], side).flatten()
        dice = 1 - (2 * (logits.sigmoid() * shares).sum() + 1) / ((logits.sigmoid() + shares).sum() + 1)
        wanted += float(4 * functional.binary_cross_entropy_with_logits(logits, shares) + dice)
    assert float(plum(batch)["patches"]) == pytest.approx(wanted, rel=1e-4)


def test_photographs_that_are_no_squares_of_patches_have_no_loss_of_patches(folder_of: Callable[[str], Path]) -> None:
    plum = fresh(folder_of("qwen"), losses=LossConfig(patches=1.0))
    with pytest.raises(ModelError, match="one square of patches") as refused:
        plum(batch_of(plum))
    assert refused.value.mend == "Set losses.patches to 0, and shared_sight to false"


@pytest.mark.parametrize("settings", [{"losses": LossConfig(patches=1.0)}, {"shared_sight": True}])
def test_patches_are_told_nothing_where_a_photographs_middle_is_cropped(
    folder_of: Callable[[str], Path], settings: dict[str, Any]
) -> None:
    assert fresh(folder_of("llava")).sight is None
    with pytest.raises(ModelError, match="shown whole; this model's processor crops their middle") as refused:
        fresh(folder_of("llava"), **settings)
    assert "\n" not in str(refused.value)


def stepped(plum: Plum, passes: list[list[int]]) -> tuple[float, dict[str, Tensor]]:
    """The loss and the gradients of a step whose answers are dealt to passes."""
    batches = [batch_of(plum, [TOLD[number] for number in numbers], choices=True) for numbers in passes]
    over = counts(batches, plum.config.losses.span_weights)
    plum.zero_grad()
    total = 0.0
    for batch in batches:
        loss = losses.total(plum(batch), over, plum.config.losses)
        loss.backward()
        total += float(loss.detach())
    return total, gradients_of(plum)


def test_however_a_step_is_dealt_to_passes_its_loss_and_gradients_are_the_same(plum: Plum) -> None:
    loss, gradients = stepped(plum, [[0, 1, 2, 3]])
    for passes in ([[3], [2], [1], [0]], [[0, 3], [1, 2]], [[1], [0, 2, 3]]):
        other, theirs = stepped(plum, passes)
        assert other == pytest.approx(loss, rel=1e-4)
        assert theirs.keys() == gradients.keys()
        for name, gradient in gradients.items():
            assert torch.allclose(theirs[name], gradient, atol=1e-4 * float(gradient.abs().max()) + 1e-6), name


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"feedback": None},
        {"marking": "seg_token"},
        {"trainable": TrainableConfig("none"), "losses": LossConfig(kl=0)},
        {"trainable": TrainableConfig("all", vision=True, image_encoder=True), "losses": LossConfig(kl=0)},
        {"trainable": TrainableConfig("adapters", mask_decoder=False)},
    ],
)
def test_gradients_reach_all_that_trains_and_nothing_that_is_frozen(
    llava: Callable[..., Plum], settings: dict[str, Any]
) -> None:
    plum = llava(**settings).train()
    told = TOLD
    if plum.config.marking == "seg_token":
        told = (Told(0, "A front wheel [SEG], a leg [SEG] and a tail [SEG]", ("[SEG]",) * 3),)
    losses.total(plum(batch_of(plum, told)), dict.fromkeys(losses.TERMS, 1.0), plum.config.losses).backward()
    trains = {name for name, one in plum.named_parameters() if one.requires_grad}
    reached = {name for name, gradient in gradients_of(plum).items() if gradient.abs().max() > 0}
    # The last layer of the vision tower is not among those whose features a LLaVA takes.
    unused = {
        name for name in trains if ".vision_tower." in name and (".layers.1." in name or "post_layernorm" in name)
    }
    assert reached == trains - unused
    parts = {name.split(".")[0] for name in trains}
    assert parts >= {"query", "segmenter"}
    assert ("extractor" in parts) == (plum.config.marking == "tags")
    assert ("feedback" in parts) == (plum.config.feedback is not None)
    language = plum.config.trainable.language
    assert any(".lora_" in name for name in trains) == (language == "adapters")
    assert any(name.endswith("embed_tokens.weight") for name in trains) == (
        language == "all" or plum.config.marking == "seg_token"
    )
    assert any("lm_head" in name for name in trains) == (language == "all" or plum.config.marking == "seg_token")
    assert any("mask_decoder" in name for name in trains) == plum.config.trainable.mask_decoder
    assert any("image_encoder" in name for name in trains) == plum.config.trainable.image_encoder
    assert any("vision_tower" in name for name in trains) == plum.config.trainable.vision


def test_answers_without_any_part_have_the_losses_of_text_alone(plum: Plum) -> None:
    found = plum(batch_of(plum, [TOLD[1]]))
    assert found.keys() == {"lm", "span"}
    over = counts([batch_of(plum, [TOLD[1]])], plum.config.losses.span_weights)
    assert losses.total(found, over, plum.config.losses).isfinite()


@torch.no_grad()
def test_sixty_parts_in_one_answer_have_finite_losses(llava: Callable[..., Plum]) -> None:
    plum = llava()
    told = Told(1, "It has " + ", ".join(["legs"] * 60), ("legs",) * 60)
    batch = batch_of(plum, [told])
    assert len(batch.spans) == 60
    assert all(value.isfinite() for value in plum(batch).values())


@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_the_model_starts_without_any_drift_from_its_teacher(
    family: str, folder_of: Callable[[str], Path], reduction: Any
) -> None:
    plum = fresh(folder_of(family), losses=LossConfig(kl_reduction=reduction), lora=LoraConfig(dropout=0.0)).train()
    assert float(plum(batch_of(plum))["kl"].detach()) == 0.0


@torch.no_grad()
def test_the_share_of_true_masks_is_drawn_from_the_generator_and_shown_to_later_masks_alone(
    llava: Callable[..., Plum],
) -> None:
    plum = llava()
    batch = batch_of(plum)

    def overlap(truth: float, seed: int = 0, of: Batch = batch) -> float:
        return float(plum(of, truth, torch.Generator().manual_seed(seed))["overlap"])

    assert overlap(0.0) == float(plum(batch)["overlap"])
    assert overlap(1.0) != overlap(0.0)
    assert overlap(1.0, 1) == overlap(1.0, 2)
    assert overlap(0.5, 1) == overlap(0.5, 1)
    assert len({overlap(0.5, seed) for seed in range(8)}) > 2
    single = batch_of(plum, [TOLD[2]])
    assert overlap(1.0, of=single) == overlap(0.0, of=single)


@torch.no_grad()
def test_embeddings_that_are_known_are_taken_as_they_are(llava: Callable[..., Plum]) -> None:
    plum = llava()
    batch = batch_of(plum)
    known = replace(batch, pixels=plum.segmenter.encode(batch.pixels))
    seen: list[int] = []
    hook = plum.segmenter.sam.image_encoder.register_forward_hook(lambda *_: seen.append(1))
    found, wanted = plum(known), plum(batch)
    hook.remove()
    assert seen == [1]
    assert all(torch.equal(found[term], wanted[term]) for term in found)


def test_states_computed_again_in_the_backward_pass_give_the_same_losses(llava: Callable[..., Plum]) -> None:
    """Gradient checkpointing forgets caches, which the likelihoods of choices otherwise go on from."""
    plum = llava(losses=EVERYTHING, lora=LoraConfig(dropout=0.0)).train()
    for layer in plum.modules():  # no dropout, though in training
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    assert plum.extractor is not None
    plum.extractor.transformer.self_attn.dropout = 0.0
    before, gradients = stepped(plum, [[0, 1, 2, 3]])
    assert not plum.backbone.computes_again
    plum.backbone.compute_again()
    assert plum.backbone.computes_again
    after, theirs = stepped(plum, [[0, 1, 2, 3]])
    assert after == pytest.approx(before, rel=1e-5)
    assert all(torch.allclose(theirs[name], one, atol=1e-3, rtol=1e-3) for name, one in gradients.items())


@pytest.mark.parametrize("vision", [False, True])
def test_computing_again_asks_for_no_gradients_of_a_tower_that_is_frozen(
    folder_of: Callable[[str], Path], family: str, vision: bool
) -> None:
    plum = trained(folder_of(family), trainable=TrainableConfig(vision=vision), losses=LossConfig(kl=0)).train()
    plum.backbone.compute_again()
    assert plum.backbone.computes_again
    (features,) = plum.backbone.features([plum.backbone.picture(PHOTOGRAPHS[0])])
    assert features.requires_grad == vision
    losses.total(plum(batch_of(plum)), dict.fromkeys(losses.TERMS, 1.0), plum.config.losses).backward()
    found = gradients_of(plum)
    assert {name for name, one in plum.named_parameters() if ".lora_" in name} <= found.keys()
    tower = {name for name, one in plum.backbone.plain.named_parameters() if one.requires_grad and "lora_" not in name}
    assert any(name.endswith(tuple(tower)) for name in found) == vision if tower else not vision


def test_counts_are_what_the_losses_are_sums_over(plum: Plum) -> None:
    batches = [batch_of(plum, TOLD[:2], choices=True), batch_of(plum, TOLD[2:])]
    found = counts(batches, (0.1, 1.0, 2.0))
    tags = [tag for batch in batches for n, one in enumerate(batch.rendered) for tag in batch.tags[n, : one.n_answer]]
    assert found["lm"] == sum(len(one.ids) - one.n_prompt for batch in batches for one in batch.rendered)
    assert found["span"] == pytest.approx(sum((0.1, 1.0, 2.0)[int(tag)] for tag in tags))
    assert (found["overlap"], found["bce"], found["kl"], found["choice"]) == (6, 6, 6, 2)


def test_a_batch_keeps_as_many_masks_as_spans_and_moves_whole(llava: Callable[..., Plum]) -> None:
    batch = batch_of(llava(), choices=True)
    with pytest.raises(ValueError, match="5 masks for 6 spans"):
        replace(batch, targets=batch.targets[:5])
    assert batch.choices is not None
    with pytest.raises(ValueError, match="not its question's correct choice"):
        replace(batch, choices=replace(batch.choices, correct=batch.choices.correct.flip(0)))
    there = batch.to(torch.device("meta"))
    assert there.choices is not None
    moved = [there.pixels, there.picture_of, there.spans.row, there.spans.step, there.tags, there.targets, there.valid]
    assert all(one.is_meta for one in [*moved, there.choices.of, there.choices.correct])
    assert batch.spans.row.tolist() == [0, 0, 2, 3, 3, 3]
    assert batch.spans.step.tolist() == [0, 1, 0, 0, 1, 2]


@pytest.mark.parametrize(
    "settings",
    [
        {"marking": "seg_token"},
        {"trainable": TrainableConfig("all")},
        {"trainable": TrainableConfig("none", vision=True)},
    ],
    ids=["seg_token", "language", "vision"],
)
def test_what_trains_of_a_model_in_bfloat16_is_float32_and_a_step_moves_it(
    folder_of: Callable[[str], Path], family: str, settings: dict[str, Any]
) -> None:
    plum = trained(folder_of(family), **settings, losses=LossConfig(kl=0), dtype="bfloat16")
    trains = {one for one in plum.parameters() if one.requires_grad}
    assert {one.dtype for one in trains} == {torch.float32}
    assert torch.bfloat16 in {one.dtype for one in plum.backbone.parameters()}
    batch, outcomes = batch_of(plum), []
    for half in (True, False):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            found = plum(batch)
        outcomes.append({term: float(value.detach()) for term, value in found.items()})
        losses.total(found, dict.fromkeys(losses.TERMS, 1.0), plum.config.losses).backward()
    assert outcomes[0] == pytest.approx(outcomes[1], rel=0.05)
    moved = torch.optim.SGD(list(trains), lr=1e-6)
    before = plum.backbone.plain.get_output_embeddings().weight.detach().clone()
    moved.step()
    head = plum.backbone.plain.get_output_embeddings().weight
    assert torch.equal(before, head.detach()) != head.requires_grad


@pytest.mark.parametrize("by", ["weights", "autocast"])
def test_half_precision_of_the_language_model_gives_nearly_the_same_losses(llava: Callable[..., Plum], by: str) -> None:
    wanted = llava(losses=EVERYTHING)
    plum = llava(losses=EVERYTHING, dtype="bfloat16" if by == "weights" else "float32")
    batch = batch_of(plum, choices=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=by == "autocast"):
        found = plum(batch)
    losses.total(found, dict.fromkeys(losses.TERMS, 1.0), plum.config.losses).backward()
    assert all(gradient.isfinite().all() for gradient in gradients_of(plum).values())
    assert gradients_of(plum).keys() == {name for name, one in plum.named_parameters() if one.requires_grad}
    with torch.no_grad():
        for term, value in wanted(batch).items():
            assert found[term].dtype == torch.float32
            assert float(found[term].detach()) == pytest.approx(float(value), rel=0.05), term
