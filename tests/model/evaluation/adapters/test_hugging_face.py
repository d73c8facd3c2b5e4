"""Models of `transformers` as they are: they choose and say what their own forward pass gives; what can't be asked is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    Qwen2VLImageProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from model.evaluation import job
from model.evaluation.adapters import hugging_face, likeness
from model.evaluation.adapters.hugging_face import TextModel, loaded
from model.evaluation.asking import Asked
from model.evaluation.job import EvaluationConfig
from model.evaluation.predicting import PredictionConfig
from model.plum import devices, pretrained
from model.plum.backbone import Backbone
from model.plum.errors import ModelError, TextError
from model.plum.rendering import Turn
from partonomy_data.store.reader import open as open_store
from tests.helpers.command import partonomy
from tests.model.families import FAMILIES, TEMPLATES, tokenizer
from tests.model.plum.tiny import PHOTOGRAPHS, QUESTION

Folder = Callable[[str], Path]
CHOICES = ("It has a wing.", "It has a tail and a front wheel.", "Nothing.")
SHIPPED = "shipped:tiny/lmm"


def asked(name: str, question: str, view: int, *history: Turn) -> Asked:
    return Asked(name, f"view {view}", PHOTOGRAPHS[view], question, CHOICES, history)


ASKED = [
    asked("qst_1", QUESTION, 0),
    asked("qst_2", "Parts?", 1, Turn("What is it?", "A bicycle.")),
    asked("qst_3", "Which?", 0),
]


@pytest.fixture(scope="module", params=[*FAMILIES, SHIPPED])
def name(request: pytest.FixtureRequest, folder_of: Folder) -> str:
    return str(request.param) if request.param == SHIPPED else str(folder_of(request.param))


@pytest.fixture(scope="module")
def model(name: str) -> TextModel:
    return loaded(name, 6)[0]


@pytest.fixture(scope="module")
def llava(folder_of: Folder) -> TextModel:
    return loaded(str(folder_of("llava")), 6)[0]


@torch.no_grad()
def own(backbone: Backbone, one: Asked, choice: str) -> tuple[float, int]:
    """The log-likelihood of a choice, and its tokens, by the class's own processor and forward pass, all alone."""
    said: list[dict[str, Any]] = []
    for number, turn in enumerate((*one.history, Turn(one.question, choice))):
        image = [{"type": "image"}] if number == 0 else []
        said.append({"role": "user", "content": [*image, {"type": "text", "text": turn.question}]})
        said.append({"role": "assistant", "content": [{"type": "text", "text": turn.answer}]})
    processor = backbone.processor
    text = processor.apply_chat_template(said, backbone.renderer._template, tokenize=False)
    begun = backbone.renderer.tokenizer.bos_token
    inputs = processor(
        text=[text],
        images=[one.image],
        return_tensors="pt",
        add_special_tokens=not (begun and text.startswith(begun)),
    )
    logits = backbone.plain(**inputs, use_cache=False).logits[0].float().log_softmax(-1)
    shown = backbone.picture(one.image)
    rendered = backbone.renderer.answered(
        backbone.renderer.prompt(shown.replacement, one.question, one.history), choice
    )
    places = range(rendered.n_prompt, len(rendered.ids))
    return sum(float(logits[place - 1, rendered.ids[place]]) for place in places), len(places)


def test_it_comes_to_the_best_device_before_it_is_asked_anything(
    folder_of: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.device] = []
    monkeypatch.setattr(devices, "best", lambda: torch.device("meta"))
    monkeypatch.setattr(likeness, "check", lambda backbone, _: seen.append(backbone.device))
    loaded(str(folder_of("llava")), 6)
    assert seen == [torch.device("meta")]


def test_choices_are_as_likely_as_the_models_own_forward_pass_says_whatever_is_asked_beside_them(
    model: TextModel,
) -> None:
    together = model.choose(ASKED)
    for one, found in zip(ASKED, together, strict=True):
        expected = [own(model._backbone, one, choice) for choice in CHOICES]
        (alone,) = model.choose([one])
        assert found is not None
        assert alone is not None
        assert found.scores == pytest.approx([score for score, _ in expected], abs=1e-3)
        assert found.lengths == tuple(tokens for _, tokens in expected)
        assert found.place == int(np.argmax([score for score, _ in expected])) == alone.place
        assert alone.scores == pytest.approx(found.scores, abs=1e-3)


@torch.no_grad()
def test_it_says_the_likeliest_token_each_time_whatever_is_asked_beside_it(model: TextModel) -> None:
    together = model.answers(ASKED)
    backbone, renderer = model._backbone, model._backbone.renderer
    for one, found in zip(ASKED, together, strict=True):
        assert model.answers([one]) == [found]
        shown = backbone.picture(one.image)
        ids = list(renderer.prompt(shown.replacement, one.question, one.history).ids)
        features, said = backbone.features([shown]), list[int]()
        while len(said) < 6:
            logits = backbone.logits(backbone.states(backbone.texts([ids + said], [shown]), features)[0, -1])
            logits[backbone.image_token_id] = -torch.inf
            if int(logits.argmax()) == renderer.end_id:
                break
            said.append(int(logits.argmax()))
        assert found == renderer.text_of(said)[0]


def test_what_it_says_is_measured_as_text_alone(llava: TextModel) -> None:
    texts = llava.answers(ASKED)
    for text, said in zip(texts, llava.say(ASKED), strict=True):
        assert said is not None
        assert (said.text, said.parts, said.masked) == (text, (), False)
    assert llava.segment(ASKED, [""] * 3, [[]] * 3) == llava.tag(ASKED, [""] * 3) == [None] * 3
    assert llava.choose([]) == llava.answers([]) == []


def test_a_tie_is_no_choice(llava: TextModel) -> None:
    (chosen,) = llava.choose([replace(ASKED[0], choices=("A wheel.", "A wheel."))])
    assert chosen is not None
    assert chosen.place is None


def test_a_view_is_looked_at_once(llava: TextModel, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []
    features = Backbone.features

    def counted(self: Backbone, pictures: Any) -> Any:
        looked.append(len(pictures))
        return features(self, pictures)

    monkeypatch.setattr(Backbone, "features", counted)
    fresh = TextModel("fresh", llava._backbone, 2)
    fresh.choose(ASKED)
    fresh.say(ASKED)
    assert looked == [2]
    monkeypatch.setattr(hugging_face, "_LOOKS", 1)
    fresh.choose(ASKED)
    fresh.answers(ASKED[2:])
    fresh.answers(ASKED[1:2])
    assert looked == [2, 1], "what was used last is kept"


def test_a_text_longer_than_the_context_is_told_with_its_question(model: TextModel) -> None:
    long = replace(ASKED[1], question_id="qst_long", question="a wheel and " * 900)
    refused = (
        r"^question qst_long: a text of \d+ tokens is longer than the model's \d+\. Shorten the question or answer\.$"
    )
    for ask in (model.choose, model.say):
        with pytest.raises(ModelError, match=refused):
            ask([ASKED[0], long])
    with pytest.raises(ModelError, match=refused):
        model.choose([replace(ASKED[0], question_id="qst_long", choices=("A wing.", "a wheel and " * 900))])
    first, second, third = model.answers([ASKED[0], long, ASKED[2]])
    assert isinstance(second, ModelError)
    assert [first, third] == model.answers([ASKED[0], ASKED[2]])


def test_what_cannot_be_shown_unchanged_is_told_with_its_question(llava: TextModel) -> None:
    with pytest.raises(TextError, match=r"^question qst_1: the text holds the control token '<image>'"):
        llava.choose([replace(ASKED[0], question="An <image>?")])
    with pytest.raises(TextError, match=r"^question qst_1: the answer is empty"):
        llava.choose([replace(ASKED[0], choices=("A wing.", " "))])


def test_an_answer_ends_where_there_is_no_room_and_others_do_not(llava: TextModel) -> None:
    backbone = llava._backbone
    used = len(backbone.renderer.prompt(backbone.picture(PHOTOGRAPHS[1]).replacement, "a" + " wing" * 400).ids)
    full = replace(ASKED[1], history=(), question="a" + " wing" * (400 + (backbone.longest - used - 3)))
    wide = TextModel("wide", backbone, 6)
    cut, whole = wide.answers([full, ASKED[0]])
    assert [cut] == TextModel("narrow", backbone, 3).answers([full])
    assert [whole] == wide.answers([ASKED[0]])


def test_a_photograph_of_a_shape_that_is_not_taken_is_told(folder_of: Folder) -> None:
    qwen = loaded(str(folder_of("qwen")), 2)[0]
    thin = replace(ASKED[0], view_id="thin", image=Image.new("RGB", (900, 2)))
    refused, answered = qwen.answers([thin, ASKED[0]])
    assert isinstance(refused, ModelError)
    assert str(refused).startswith("a photograph of 2 x 900 pixels can't be shown to the model")
    assert [answered] == qwen.answers(ASKED[:1])
    with pytest.raises(ModelError, match=r"^question qst_1: a photograph of 2 x 900 pixels"):
        qwen.choose([thin])


@pytest.mark.parametrize("name", ["nobody/nothing", "llava-1.5", "a b", "x" * 200])
def test_a_name_that_is_not_here_is_told_in_one_line_and_not_looked_for_elsewhere(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a connection was made"))
    with pytest.raises(ModelError, match="neither a folder nor a model in the local cache") as told:
        loaded(name, 6)
    assert str(told.value).startswith(f"hf:{name}: ")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", ["", " ", "./nowhere", "/nowhere/at/all", "~/no such folder", "a/b/c"])
def test_a_folder_that_is_not_there_is_told(name: str) -> None:
    with pytest.raises(ModelError, match="there is no such folder"):
        loaded(name, 6)


@pytest.mark.parametrize("kind", ["bert", "no-such-kind", None])
def test_a_folder_of_another_kind_is_told(kind: str | None, folder_of: Folder, tmp_path: Path) -> None:
    shutil.copytree(folder_of("llava"), tmp_path / "other")
    (tmp_path / "other" / "config.json").write_text(json.dumps({"model_type": kind} if kind else {}))
    with pytest.raises(ModelError, match="no vision-language model can be loaded") as told:
        loaded(str(tmp_path / "other"), 6)
    assert "\n" not in str(told.value)


def deep(folder: Path) -> Path:
    """A tiny model of a family that shows the photograph to several layers: read as others are, it runs, and is wrong."""
    special = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    words = tokenizer("bytes", [*special, "<pad>"], eos_token="<|im_end|>", pad_token="<pad>")
    ids = {token: words.convert_tokens_to_ids(token) for token in special}
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    shape: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 64}
    text = {**shape, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
    vision = {
        **shape,
        "depth": 2,
        "num_heads": 2,
        "patch_size": 14,
        "out_hidden_size": 32,
        "num_position_embeddings": 64,
    }
    config = Qwen3VLConfig(
        text_config={**text, "vocab_size": len(words), "max_position_embeddings": 512, "rope_parameters": rope},
        vision_config={**vision, "deepstack_visual_indexes": [0, 1]},
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    pixels = Qwen2VLImageProcessor(min_pixels=28 * 28 * 4, max_pixels=28 * 28 * 16)
    processor = Qwen3VLProcessor(pixels, words, Qwen3VLVideoProcessor(), chat_template=TEMPLATES["qwen"])
    with torch.random.fork_rng(), pretrained.quiet(), torch.no_grad():
        torch.manual_seed(0)
        lmm = Qwen3VLForConditionalGeneration(config)
        for weight in lmm.parameters():
            weight.add_(torch.randn(weight.shape), alpha=0.1)
        lmm.save_pretrained(folder)
        processor.save_pretrained(folder)
    return folder


def test_a_class_that_would_be_read_in_another_way_than_its_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Qwen3VLForConditionalGeneration would be read in another way") as told:
        loaded(str(deep(tmp_path / "deep")), 6)
    assert "Known are the families of LLaVA, Qwen2.5-VL and Idefics3" in str(told.value)


def test_a_class_that_lacks_what_is_used_is_refused(
    llava: TextModel, folder_of: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(type(llava._backbone.plain.model), "get_image_features")
    with pytest.raises(ModelError, match="a model of the class LlavaForConditionalGeneration can't be asked here"):
        loaded(str(folder_of("llava")), 6)


def test_other_weights_are_another_model(folder_of: Folder, tmp_path: Path) -> None:
    shutil.copytree(folder_of("llava"), tmp_path / "llava")
    name, before = loaded(str(tmp_path / "llava"), 6)
    assert name.name == "hf-llava"
    weights = tmp_path / "llava" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\0")
    assert loaded(str(tmp_path / "llava"), 6)[1] != before


def test_it_is_measured_by_its_choices_and_words_and_not_by_masks(own_store: Path) -> None:
    config = EvaluationConfig(PredictionConfig(split="test", limit=6), longest=4)
    done = job.evaluate(own_store, f"hf:{SHIPPED}", config)
    assert (done.model_id, done.measured.n, done.left_out) == ("hf-tiny-lmm", 6, {})
    metrics = {row["metric"] for row in done.measured.rows}
    assert {"accuracy", "accuracy_by_length", "calibration_error", "generation_accuracy", "chance"} <= metrics
    assert not {name for name in metrics if name.startswith(("giou", "strict", "ap50", "part_", "span_", "ciou"))}
    with open_store(own_store) as store:
        rows = store.sql("SELECT * FROM predictions WHERE model_id = 'hf-tiny-lmm'").to_arrow_table().to_pylist()
    assert len(rows) == 12
    assert all(row["masks"] is None and row["spans"] is None for row in rows)
    assert all((row["text"] is not None) == (row["conditioning"] == "predicted") for row in rows)
    assert all(len(row["scores"]) == len(row["lengths"]) for row in rows)


def test_the_command_tells_what_is_wrong_in_one_line(own_store: Path) -> None:
    done = partonomy("evaluate", "--root", own_store, "--model", "hf:nobody/nothing")
    assert (done.status, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert "hf:nobody/nothing: neither a folder nor a model in the local cache" in done.err
