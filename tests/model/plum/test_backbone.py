"""Backbones: their states against the families' own forward pass, positions, caches, adapters, and what is refused."""

from __future__ import annotations

import json
import logging
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from model.plum.backbone import Backbone, LoraConfig, Texts, _joined
from model.plum.errors import ModelError
from tests.model.plum.tiny import PHOTOGRAPHS, QUESTION

ANSWERS = ["It has a saddle, two pedals and a handle bar.", "A tail"]


def rows_of(backbone: Backbone, order: tuple[int, ...] = (0, 1)) -> tuple[list[tuple[int, ...]], list, list[Tensor]]:
    """Ids of one answer each about photographs, these as the model takes them, and their features."""
    seen = [backbone.picture(PHOTOGRAPHS[number]) for number in order]
    prompts = [backbone.renderer.prompt(one.replacement, QUESTION) for one in seen]
    rows = [backbone.renderer.answered(p, ANSWERS[n]).ids for p, n in zip(prompts, order, strict=True)]
    return rows, seen, backbone.features(seen)


@torch.no_grad()
def states_of(backbone: Backbone, order: tuple[int, ...] = (0, 1)) -> list[Tensor]:
    rows, seen, features = rows_of(backbone, order)
    states = backbone.states(backbone.texts(rows, seen), features)
    return [one[: len(row)] for one, row in zip(states, rows, strict=True)]


@torch.no_grad()
def theirs(backbone: Backbone, number: int) -> tuple[Tensor, Tensor]:
    """States and logits of an answer by the family's own processor and forward pass, alone and without any padding."""
    message = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": QUESTION}]}
    answer = {"role": "assistant", "content": [{"type": "text", "text": ANSWERS[number]}]}
    text = backbone.processor.apply_chat_template([message, answer], tokenize=False)
    inputs = backbone.processor(text=[text], images=[PHOTOGRAPHS[number]], return_tensors="pt")
    out = backbone.plain(**inputs, output_hidden_states=True, use_cache=False)
    return out.hidden_states[-1][0], out.logits[0]


@torch.no_grad()
def test_states_and_logits_are_those_of_the_familys_own_forward_pass(backbone: Backbone) -> None:
    for number, mine in enumerate(states_of(backbone)):
        states, logits = theirs(backbone, number)
        assert torch.allclose(mine, states[: len(mine)], atol=1e-6, rtol=1e-5)
        assert torch.allclose(backbone.logits(mine), logits[: len(mine)], atol=1e-5)


@torch.no_grad()
def test_padding_and_neighbours_change_nothing(backbone: Backbone) -> None:
    both, turned = states_of(backbone), states_of(backbone, (1, 0))[::-1]
    for number in range(2):
        (alone,) = states_of(backbone, (number,))
        assert torch.allclose(both[number], alone, atol=1e-6, rtol=1e-5)
        assert torch.allclose(turned[number], alone, atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_the_photograph_is_seen(backbone: Backbone) -> None:
    rows, seen, features = rows_of(backbone, (0, 0))
    texts = backbone.texts(rows, seen)
    assert not torch.allclose(
        backbone.states(texts, features)[0, -1], backbone.states(texts, [-features[0], features[1]])[0, -1], atol=1e-3
    )


@torch.no_grad()
def test_features_of_a_photograph_are_the_same_with_others_beside_it(backbone: Backbone) -> None:
    seen = [backbone.picture(one) for one in PHOTOGRAPHS]
    together = backbone.features([seen[0], seen[1], seen[0]])
    for number, one in enumerate([0, 1, 0]):
        assert torch.allclose(together[number], backbone.features([seen[one]])[0], atol=1e-6)
        assert together[number].shape == (seen[one].replacement.count(backbone.renderer.image_token), backbone.hidden)


def test_the_crops_of_a_photograph_that_has_fewer_come_first_and_nothing_after_them() -> None:
    one, other = torch.rand(1, 2, 3, 4), torch.rand(1, 5, 3, 4)
    both = _joined([one, other])
    assert torch.equal(both, torch.cat([torch.cat([one, torch.zeros(1, 3, 3, 4)], 1), other]))


@torch.no_grad()
def test_another_photograph_asked_about_in_between_changes_nothing(backbone: Backbone) -> None:
    """Qwen's models keep the rope offset of the last prompt that they were shown."""
    rows, seen, features = rows_of(backbone)
    cache = backbone.new_cache()
    prefix = backbone.texts([rows[0][:-6]], seen[:1])
    backbone.states(prefix, features[:1], cache=cache)
    theirs(backbone, 1)  # leaves its offset behind
    states_of(backbone, (1,))
    further = torch.tensor([rows[0][-6:]])
    mask = torch.ones_like(further, dtype=torch.bool)
    positions = backbone.after(prefix, 6)
    after = backbone.states(Texts(further, mask, positions), [], cache=cache, seen=prefix.mask)
    whole = backbone.states(backbone.texts(rows[:1], seen[:1]), features[:1])
    assert torch.allclose(after[0], whole[0, -6:], atol=1e-5)
    assert torch.equal(positions, backbone.texts(rows[:1], seen[:1]).positions[..., -6:])


@torch.no_grad()
@pytest.mark.parametrize("steps", [[1] * 7, [7], [2, 5], [3, 3, 1]])
def test_going_on_from_a_cache_is_the_same_as_reading_all_at_once(backbone: Backbone, steps: list[int]) -> None:
    """Two prompts of different lengths, and so with padding between what is kept and what comes."""
    rows, seen, features = rows_of(backbone)
    known = [len(row) - 7 for row in rows]
    cache, kept = backbone.new_cache(), backbone.texts([row[:n] for row, n in zip(rows, known, strict=True)], seen)
    backbone.states(kept, features, cache=cache)
    mask, positions, at = kept.mask, backbone.after(kept, 7), 0
    wanted = states_of(backbone)
    for step in steps:
        ids = torch.tensor([row[n + at : n + at + step] for row, n in zip(rows, known, strict=True)])
        new = torch.ones_like(ids, dtype=torch.bool)
        found = backbone.states(Texts(ids, new, positions[..., at : at + step]), [], cache=cache, seen=mask)
        mask = torch.cat([mask, new], 1)
        for one, all_of_it, n in zip(found, wanted, known, strict=True):
            assert torch.allclose(one, all_of_it[n + at : n + at + step], atol=1e-5)
        at += step


# Adapters


def adapted(folder: Path, **settings: object) -> Backbone:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone = Backbone.load(folder)
        backbone.adapt(LoraConfig(rank=2, dropout=0.5, **settings))  # type: ignore[arg-type]
    return backbone


def test_only_adapters_train_on_the_language_model_alone_and_the_vocabulary_stays(
    family: str, folder_of: Callable[[str], Path]
) -> None:
    plain, backbone = Backbone.load(folder_of(family)), adapted(folder_of(family))
    trains = {name for name, one in backbone.named_parameters() if one.requires_grad}
    assert trains
    assert all(
        ".lora_" in name and ".layers." in name and "vision" not in name and "visual" not in name for name in trains
    )
    layers = {name.split(".layers.")[1].split(".lora_")[0] for name in trains}
    assert layers == {f"{layer}.self_attn.{kind}_proj" for layer in range(2) for kind in "qv"}
    assert len(backbone.renderer.tokenizer) == len(plain.renderer.tokenizer)
    assert backbone.plain.get_input_embeddings().weight.shape == plain.plain.get_input_embeddings().weight.shape


def test_the_teacher_is_the_model_as_it_was_whatever_its_adapters_have_learned(
    family: str, folder_of: Callable[[str], Path]
) -> None:
    before = states_of(Backbone.load(folder_of(family)).eval())
    backbone = adapted(folder_of(family)).train()
    rows, seen, features = rows_of(backbone)
    texts = backbone.texts(rows, seen)
    optimiser = torch.optim.AdamW([one for one in backbone.parameters() if one.requires_grad], lr=0.05)
    for _ in range(10):
        backbone.states(texts, [one.detach() for one in features])[:, -1].square().sum().backward()
        optimiser.step()
        optimiser.zero_grad()
    with backbone.as_teacher():
        for _ in range(2):  # dropout would make the two differ
            frozen = states_of(backbone)
            assert all(torch.equal(one, other) for one, other in zip(frozen, before, strict=True))
            assert not backbone.states(texts, features).requires_grad
    backbone.eval()
    assert not torch.allclose(states_of(backbone)[0], before[0], atol=1e-2)


def test_a_teacher_leaves_the_student_as_it_was_even_after_an_error(folder_of: Callable[[str], Path]) -> None:
    backbone = adapted(folder_of("llava")).train()
    backbone.plain.model.vision_tower.eval()
    modes = [module.training for module in backbone.modules()]
    trains = [one.requires_grad for one in backbone.parameters()]

    def fails() -> None:
        with backbone.as_teacher():
            assert not any(module.training for module in backbone.lmm.modules())
            raise KeyError("in between")

    with pytest.raises(KeyError):
        fails()
    assert [module.training for module in backbone.modules()] == modes
    assert [one.requires_grad for one in backbone.parameters()] == trains
    rows, seen, features = rows_of(backbone)
    assert backbone.states(backbone.texts(rows, seen), features).requires_grad


def test_what_cannot_be_adapted_is_refused(
    folder_of: Callable[[str], Path], backbones: Callable[[str], Backbone]
) -> None:
    with pytest.raises(ModelError, match=r"no layers called query\. Name its own in lora.targets"):
        adapted(folder_of("llava"), targets=("query",))
    with pytest.raises(ModelError, match="only a model with adapters"), backbones("llava").as_teacher():
        pass


# What is refused, and what is printed


def test_a_text_longer_than_the_context_is_refused(backbone: Backbone) -> None:
    rows, seen, _ = rows_of(backbone, (0,))
    assert backbone.longest == 512
    fits = (*rows[0], *[5] * (512 - len(rows[0])))
    assert backbone.texts([fits], seen).ids.shape == (1, 512)
    with pytest.raises(ModelError, match="a text of 513 tokens is longer than the model's 512"):
        backbone.texts([(*fits, 5)], seen)


def test_features_that_do_not_fill_the_image_tokens_are_refused(backbone: Backbone) -> None:
    rows, seen, features = rows_of(backbone, (0,))
    with pytest.raises(ModelError, match=r"the texts have .* image tokens"):
        backbone.states(backbone.texts(rows, seen), [features[0][1:]])


def test_a_photograph_of_a_shape_that_the_family_does_not_take_is_refused(backbones: Callable[[str], Backbone]) -> None:
    with pytest.raises(
        ModelError, match=r"1 x 300 pixels can't be shown to the model: .*aspect ratio.*\. Leave it out"
    ):
        backbones("qwen").picture(Image.new("RGB", (300, 1)))


def altered(folder: Path, target: Path, **config: object) -> Path:
    shutil.copytree(folder, target)
    content = json.loads((target / "config.json").read_text())
    (target / "config.json").write_text(json.dumps({**content, **config}))
    return target


def test_what_is_no_whole_vision_language_model_is_refused_in_one_line(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    whole = folder_of("llava")
    (tmp_path / "empty").mkdir()
    cut = altered(whole, tmp_path / "cut")
    (cut / "model.safetensors").write_bytes((cut / "model.safetensors").read_bytes()[:-100])
    silent = altered(whole, tmp_path / "silent")
    for one in ("processor_config.json", "preprocessor_config.json"):
        (silent / one).unlink(missing_ok=True)
    broken = altered(whole, tmp_path / "broken")
    (broken / "config.json").write_text("{")
    text = json.loads((whole / "config.json").read_text())["text_config"]
    deeper = altered(whole, tmp_path / "deeper", text_config={**text, "num_hidden_layers": 3})
    wrong = [
        (tmp_path / "none", "there is no such folder"),
        ("./none", "there is no such folder"),
        (str(tmp_path / "none"), "there is no such folder"),
        (tmp_path / "empty", "no vision-language model can be loaded"),
        (
            altered(whole, tmp_path / "strange", model_type="strange"),
            "no vision-language model can be loaded: .*strange",
        ),
        (altered(whole, tmp_path / "text", model_type="llama"), "no vision-language model can be loaded"),
        (cut, "no vision-language model can be loaded"),
        (silent, "no vision-language model can be loaded"),
        (broken, "no vision-language model can be loaded"),
        (deeper, r"its files lack the weights model.language_model.layers.2.* and 6 more\. Get the whole model"),
    ]
    for folder, words in wrong:
        with pytest.raises(ModelError, match=words) as raised:
            Backbone.load(folder)
        assert raised.value.where == str(folder)
        assert "\n" not in str(raised.value)


def test_loading_prints_nothing_and_leaves_the_users_settings_alone(
    folder_of: Callable[[str], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    from transformers.utils import logging as theirs

    folder = folder_of("qwen")
    before = theirs.get_verbosity()
    try:
        for bars, level in ((True, logging.WARNING), (False, logging.INFO)):
            (theirs.enable_progress_bar if bars else theirs.disable_progress_bar)()
            theirs.set_verbosity(level)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                adapted(folder)
            with pytest.raises(ModelError):
                Backbone.load(folder / "none")
            assert theirs.is_progress_bar_enabled() == bars
            assert theirs.get_verbosity() == level
    finally:
        theirs.set_verbosity(before)
        theirs.enable_progress_bar()
    assert capfd.readouterr() == ("", "")


@torch.no_grad()
def test_logits_of_a_head_in_bfloat16_are_those_of_its_weights_in_double_precision(
    folder_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.plum.backbone._AT_ONCE", 100)
    whole = Backbone.load(folder_of("llava")).eval()
    half = Backbone.load(folder_of("llava"), torch.bfloat16).eval()
    half.plain.get_output_embeddings().bias = torch.nn.Parameter(
        torch.randn(half.plain.lm_head.out_features).bfloat16()
    )
    for backbone in (half, whole):
        states, head = states_of(backbone)[0], backbone.plain.get_output_embeddings()
        wanted = states.double() @ head.weight.double().T + (0.0 if head.bias is None else head.bias.double())
        for autocast in (False, True):
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                found = backbone.logits(states)
                rounded = head(states.bfloat16() if backbone is half else states).double()
            assert found.dtype == torch.float32
            assert torch.allclose(found.double(), wanted, atol=1e-5, rtol=1e-5)
            assert torch.allclose(rounded, wanted, atol=1e-3) == (backbone is whole and not autocast)


def test_gradients_flow_through_the_logits_of_a_head_in_bfloat16(folder_of: Callable[[str], Path]) -> None:
    backbone = Backbone.load(folder_of("llava"), torch.bfloat16).eval().requires_grad_(False)
    states = states_of(backbone)[0].requires_grad_(True)
    backbone.logits(states).sum().backward()
    assert states.grad is not None
    wanted = backbone.plain.get_output_embeddings().weight.float().sum(0)
    assert torch.allclose(states.grad.float(), wanted.expand_as(states), rtol=0.02, atol=0.05)


def test_the_type_of_numbers_is_the_one_asked_for(folder_of: Callable[[str], Path]) -> None:
    backbone = Backbone.load(folder_of("llava"), torch.bfloat16).eval()
    assert {one.dtype for one in backbone.parameters()} == {torch.bfloat16}
    states = states_of(backbone)[0]
    assert states.dtype == torch.bfloat16
    assert backbone.logits(states).dtype == torch.float32
