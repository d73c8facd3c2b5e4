"""Models on disk: the same to the bit when they come back, and refused in one line when they aren't what was saved."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from model.plum import answering, devices, pretrained, saving
from model.plum.answering import Asked
from model.plum.config import TrainableConfig
from model.plum.errors import ModelError
from model.plum.losses import LossConfig
from model.plum.mask_feedback import FeedbackConfig
from model.plum.model import Plum
from model.plum.saving import Origin
from model.settings import digest_of
from schemas.tables import SCHEMA_VERSION
from tests.model.plum.tiny import PHOTOGRAPHS, QUESTION, fresh, settings_of, trained

ORIGIN = Origin("v-1234", training="abc", steps=7)
NO_TEACHER = {"losses": LossConfig(kl=0)}
ALL = {"trainable": TrainableConfig("all", vision=True), **NO_TEACHER}


def outputs(plum: Plum) -> list[Any]:
    """Scores, masks of given spans, and text of its own: exact numbers."""
    looks = answering.look(plum, PHOTOGRAPHS)
    asked = [Asked(look, QUESTION) for look in looks]
    text, spans = "It has a front wheel, and a tail.", [(9, 20), (28, 32)]
    answers = answering.segment_spans(plum, asked, [text] * 2, [spans] * 2) + answering.generate(plum, asked, longest=5)
    scores = answering.score_choices(plum, asked, [["A wing", "Two pedals."]] * 2)
    masks = [(part.phrase, part.mask.tobytes(), part.iou) for one in answers for part in one.named]
    return [scores, [(one.text, one.finished) for one in answers], masks]


def tensors(plum: Plum) -> dict[str, torch.Tensor]:
    """All weights and buffers, those too that are not saved."""
    return {name: one.detach() for name, one in [*plum.named_parameters(remove_duplicate=False), *plum.named_buffers()]}


@pytest.mark.parametrize(
    ("name", "whole", "settings"),
    [
        ("llava", True, {}),
        ("llava", False, {"feedback": None}),
        ("llava", True, {"dtype": "bfloat16", "feedback": FeedbackConfig(heads=4, order_aware=True)}),
        ("llava", False, {"dtype": "bfloat16"}),
        ("llava", True, {"marking": "seg_token"}),
        ("llava", False, ALL),
        ("qwen", True, ALL),
        ("qwen", False, {"marking": "seg_token", "dtype": "bfloat16"}),
        ("llava", True, {"marking": "seg_token", "dtype": "bfloat16"}),
        ("llava", False, {**ALL, "dtype": "bfloat16"}),
        ("qwen", True, {**ALL, "dtype": "bfloat16"}),
        ("idefics", True, {"marking": "seg_token", "feedback": None}),
        ("idefics", True, {"trainable": TrainableConfig("none", vision=True), **NO_TEACHER, "dtype": "bfloat16"}),
        ("idefics", False, {}),
        ("qwen-tied", True, {}),
        ("qwen-tied", False, {"marking": "seg_token"}),
        ("llava-tied", True, {"marking": "seg_token"}),
        ("llava-tied", False, ALL),
    ],
)
def test_a_model_comes_back_to_the_bit(
    folder_of: Callable[[str], Path], tmp_path: Path, name: str, whole: bool, settings: dict[str, Any]
) -> None:
    plum = trained(folder_of(name), **settings)
    saving.save_pretrained(plum, tmp_path / "model", ORIGIN, whole=whole)
    torch.manual_seed(123)  # what is drawn while it is loaded must not stay
    back = saving.from_pretrained(tmp_path / "model")
    assert back.origin == ORIGIN
    assert back.plum.config == plum.config
    assert not any(module.training for module in back.plum.modules())
    mine, theirs = tensors(plum), tensors(back.plum)
    assert mine.keys() == theirs.keys()
    for key, one in mine.items():
        assert one.dtype == theirs[key].dtype, key
        assert torch.equal(one, theirs[key]), key
    trains = [{n for n, one in model.named_parameters() if one.requires_grad} for model in (plum, back.plum)]
    assert trains[0] == trains[1]
    plain = back.plum.backbone.plain
    tied = plain.get_input_embeddings().weight is plain.get_output_embeddings().weight
    assert tied == name.endswith("-tied")
    assert outputs(back.plum) == outputs(plum)


def test_the_feedback_that_was_trained_is_there_again_and_used(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    saving.save_pretrained(trained(folder_of("llava")), tmp_path / "with", ORIGIN)
    plum = saving.from_pretrained(tmp_path / "with").plum
    assert plum.feedback is not None
    with_it = outputs(plum)
    plum.feedback = None
    without = outputs(plum)
    first, second = ([with_it[2][n][2], without[2][n][2]] for n in range(2))
    assert first[0] == pytest.approx(first[1], abs=1e-4)
    assert second[0] != pytest.approx(second[1], abs=1e-2)
    assert with_it[2][1][1] != without[2][1][1]
    saving.save_pretrained(trained(folder_of("llava"), feedback=None), tmp_path / "without", ORIGIN)
    assert saving.from_pretrained(tmp_path / "without").plum.feedback is None


def test_what_is_not_whole_has_only_what_is_not_the_named_backbones(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    for marking, extra in (("tags", set()), ("seg_token", {"embed_tokens", "lm_head"})):
        plum = trained(folder_of("llava"), marking=marking)
        saving.save_pretrained(plum, tmp_path / marking, ORIGIN, whole=False)
        names = set(load_file(tmp_path / marking / "weights.safetensors"))
        theirs = {name.split(".")[-2] for name in names if name.startswith("backbone.") and ".lora_" not in name}
        assert theirs == extra
        assert {name for name in plum.state_dict() if not name.startswith("backbone.")} <= names
        assert any(".lora_" in name for name in names)


def test_a_tensor_with_two_names_is_written_once(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    for name in ("qwen", "qwen-tied"):
        saving.save_pretrained(trained(folder_of(name)), tmp_path / name, ORIGIN)
    whole, tied = (load_file(tmp_path / name / "weights.safetensors") for name in ("qwen", "qwen-tied"))
    assert len(set(whole) - set(tied)) == 1


def test_the_seg_token_is_one_token_with_its_own_row_in_embeddings_and_head(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    for name in ("llava", "qwen-tied"):
        before = len(fresh(folder_of(name)).backbone.renderer.tokenizer)
        plum = fresh(folder_of(name), marking="seg_token")
        saving.save_pretrained(plum, tmp_path / name, ORIGIN)
        for one in (plum, saving.from_pretrained(tmp_path / name).plum):
            ids = one.backbone.renderer.tokenizer("a wing [SEG]", add_special_tokens=False)["input_ids"]
            assert ids[-1] == before
            plain = one.backbone.plain
            assert len(plain.get_input_embeddings().weight) == len(plain.get_output_embeddings().weight) == before + 1
            assert plain.config.get_text_config().vocab_size == before + 1


def test_building_and_loading_print_nothing(
    folder_of: Callable[[str], Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for marking in ("tags", "seg_token"):
        saving.save_pretrained(fresh(folder_of("qwen"), marking=marking), tmp_path / marking, ORIGIN)
        saving.from_pretrained(tmp_path / marking)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("family", ["llava", "qwen", "idefics"])
def test_no_weights_are_drawn_only_to_be_overwritten(
    folder_of: Callable[[str], Path], family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    for name in ("normal_", "uniform_", "trunc_normal_"):
        for place in (torch.Tensor, nn.init):
            if (drawing := getattr(place, name, None)) is not None:
                monkeypatch.setattr(
                    place,
                    name,
                    lambda one, *how, made=drawing, **more: drawn.append(one.numel()) or made(one, *how, **more),
                )
    pretrained.from_config(folder_of(family), torch.float32)
    assert drawn == []
    nn.Linear(3, 2)
    assert drawn, "elsewhere they are drawn"


def test_a_model_of_another_schema_of_the_data_is_refused_unless_it_is_meant(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    other = replace(ORIGIN, schema_version=SCHEMA_VERSION + 1)
    saving.save_pretrained(fresh(folder_of("llava")), tmp_path / "model", other)
    with pytest.raises(
        ModelError, match=f"data of schema version {SCHEMA_VERSION + 1}, and this is version {SCHEMA_VERSION}"
    ):
        saving.from_pretrained(tmp_path / "model")
    assert saving.from_pretrained(tmp_path / "model", other_schema=True).origin == other


# What was changed since it was saved


@pytest.fixture(scope="module")
def kept(folder_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved model. Read only."""
    folder = tmp_path_factory.mktemp("kept") / "model"
    saving.save_pretrained(fresh(folder_of("llava")), folder, ORIGIN)
    return folder


def edited(folder: Path, **changes: Any) -> None:
    """Changes values of config.json, at any depth: `model__losses__lm=2`; `...` takes one out."""
    content = json.loads((folder / "config.json").read_text())
    for path, value in changes.items():
        *above, last = path.split("__")
        inside = content
        for key in above:
            inside = inside[key]
        if value is ...:
            del inside[last]
        else:
            inside[last] = value
    (folder / "config.json").write_text(json.dumps(content))


def reweighed(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    """Other weights, with the checksum that belongs to them."""
    path = folder / "weights.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path)
    edited(folder, weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def flipped(folder: Path) -> None:
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1
    path.write_bytes(content)


def rewritten(name: str, content: bytes | None) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)

    return change


def cut(folder: Path) -> None:
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    edited(folder, weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_model_older_than_a_setting_comes_back_with_what_it_stands_for(kept: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(kept, tmp_path / "model")
    edited(folder, model__dtype=...)
    content = json.loads((folder / "config.json").read_text())
    edited(folder, model_digest=digest_of(content["model"]))
    assert saving.from_pretrained(folder).plum.config.dtype == "float32"


def test_weights_that_were_saved_when_bfloat16_trained_come_back_the_same(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    plum = trained(folder_of("llava"), marking="seg_token", dtype="bfloat16")
    saving.save_pretrained(plum, tmp_path / "model", ORIGIN)
    trains = [name for name, one in plum.backbone.plain.named_parameters() if one.requires_grad and "lora_" not in name]
    known = {name for name in load_file(tmp_path / "model" / "weights.safetensors") if name.endswith(tuple(trains))}
    assert len(known) == 2
    reweighed(tmp_path / "model", lambda all_: all_.update({name: all_[name].bfloat16() for name in known}))
    back = dict(saving.from_pretrained(tmp_path / "model").plum.named_parameters())
    for name, one in plum.named_parameters():
        assert torch.equal(back[name], one.bfloat16().float() if name in known else one), name


def test_all_of_a_model_comes_to_the_device_that_is_asked_for_or_to_the_best(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def places(device: str | None = None) -> set[str]:
        plum = saving.from_pretrained(kept, device).plum
        assert plum.backbone.device.type == next(plum.segmenter.parameters()).device.type
        return {one.device.type for one in tensors(plum).values()}

    assert places("meta") == {"meta"}
    monkeypatch.setattr(devices, "best", lambda: torch.device("meta"))
    assert places() == {"meta"}
    assert places("cpu") == {"cpu"}


BIAS = "query.mlp.0.bias"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (rewritten("config.json", None), "there is no model of PLUM. Name the folder"),
        (rewritten("config.json", b"{"), "there is no model of PLUM"),
        (rewritten("config.json", b"[1]"), "there is no model of PLUM"),
        (rewritten("config.json", b'"format"'), "there is no model of PLUM"),
        (rewritten("config.json", b"\xff"), "there is no model of PLUM"),
        (lambda folder: edited(folder, format=...), "there is no model of PLUM"),
        (lambda folder: edited(folder, format=2), "it is of format 2, and this reads format 1"),
        (lambda folder: edited(folder, weights_sha256=...), "a setting is missing .*`weights_sha256`"),
        (lambda folder: edited(folder, more=1), "unknown setting more"),
        (lambda folder: edited(folder, model__losses__lm=2.0), "its settings are not those that it was saved with"),
        (lambda folder: edited(folder, model__feedback=None), "its settings are not those that it was saved with"),
        (lambda folder: edited(folder, model__feedback__hedas=3), "unknown setting model.feedback.hedas. Did you mean"),
        (lambda folder: edited(folder, model_digest="0"), "its settings are not those that it was saved with"),
        (lambda folder: edited(folder, origin__steps="many"), "a setting is missing or of the wrong type"),
        (rewritten("weights.safetensors", None), "weights.safetensors: it can't be read: No such file"),
        (flipped, "the weights are not those that were saved"),
        (cut, "weights.safetensors: it can't be read"),
        (lambda folder: reweighed(folder, lambda all_: all_.pop(BIAS)), f"not those of this model: {BIAS}"),
        (
            lambda folder: reweighed(folder, lambda all_: all_.update(more=torch.ones(1))),
            "not those of this model: more",
        ),
        (lambda folder: reweighed(folder, lambda all_: all_.update({BIAS: torch.ones(3)})), f"of this model: {BIAS}"),
        (
            lambda folder: reweighed(folder, lambda all_: all_.update({BIAS: torch.ones(32).half()})),
            f"of this model: {BIAS}",
        ),
        (lambda folder: shutil.rmtree(folder / "backbone"), "backbone: there is no such folder"),
        (rewritten("backbone/config.json", b"{}"), "no vision-language model can be loaded"),
        (rewritten("backbone/tokenizer.json", b"{}"), "no vision-language model can be loaded"),
    ],
)
def test_a_folder_that_was_changed_is_refused_in_one_line(
    kept: Path, tmp_path: Path, change: Callable[[Path], None], words: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(kept, folder)
    change(folder)
    with pytest.raises(ModelError, match=words) as raised:
        saving.from_pretrained(folder)
    assert str(folder) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_named_backbone_that_is_gone_is_named(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    shutil.copytree(folder_of("llava"), tmp_path / "backbone")
    saving.save_pretrained(trained(tmp_path / "backbone"), tmp_path / "model", ORIGIN, whole=False)
    saving.from_pretrained(tmp_path / "model")
    shutil.rmtree(tmp_path / "backbone")
    with pytest.raises(ModelError, match=f"{tmp_path}/backbone: there is no such folder"):
        saving.from_pretrained(tmp_path / "model")


def test_a_named_backbone_with_other_weights_is_refused(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    shutil.copytree(folder_of("llava"), tmp_path / "backbone")
    saving.save_pretrained(trained(tmp_path / "backbone"), tmp_path / "model", ORIGIN, whole=False)
    path = tmp_path / "backbone" / "model.safetensors"
    weights = load_file(path)
    next(iter(weights.values())).flatten()[0] += 1
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(
        ModelError, match=f"{tmp_path}/backbone: the weights are not those that the model was trained on"
    ):
        saving.from_pretrained(tmp_path / "model")


def test_a_model_is_written_to_a_new_folder_only(kept: Path, folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    plum = fresh(folder_of("llava"))
    (tmp_path / "file").write_text("")
    for folder in (kept, tmp_path / "file", tmp_path / "file" / "model"):
        with pytest.raises(ModelError, match=r"it can't be written: .*\. Name a new folder"):
            saving.save_pretrained(plum, folder, ORIGIN)


def test_what_a_model_is_to_be_built_of_must_be_there(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such folder"):
        saving.build(settings_of(tmp_path / "none"))
    with pytest.raises(ModelError, match=r"sam_vit_b\.pth"):
        saving.build(settings_of(folder_of("llava"), sam=str(tmp_path / "sam_vit_b.pth"), sam_size="vit_b"))
