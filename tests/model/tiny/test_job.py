"""Pre-training: what is asked for lies in the mask, both parts learn, and their checkpoints are ordinary ones."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.plum import pictures, sam, saving
from model.plum.backbone import Backbone
from model.plum.config import PlumConfig
from model.plum.errors import ModelError
from model.plum.span_extractor import SpanExtractorConfig
from model.tiny import descriptions, job, masks, scenes
from model.tiny.job import TinyConfig

CONFIG = TinyConfig(
    seed=3,
    mask_steps=4,
    mask_scenes=2,
    described_each=2,
    shown_each=2,
    language_steps=4,
    language_scenes=2,
    captions_each=3,
    warm_up=1,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made by a run that was killed in step 3 of its first task, with a state of after step 2 and a log that says more.

    That task was gone on with in this process.
    """
    out = tmp_path_factory.mktemp("tiny") / "parts"
    folder = out.with_name("parts.run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("model.tiny.learning._SAVED", 2)
        loss_of = masks.loss_of

        def killed(*given: Any) -> Any:
            if count.pop():
                raise KeyboardInterrupt
            return loss_of(*given)

        count = [False, False, True, False, False]
        patch.setattr(masks, "loss_of", killed)
        with pytest.raises(KeyboardInterrupt):
            masks_alone(folder)
        with (folder / "masks.jsonl").open("a") as log:
            log.write("what came after")
        masks_alone(folder)
    losses = [json.loads(line)["loss"] for line in (folder / "masks.jsonl").read_text().splitlines()]
    assert len(losses) == 4
    assert min(losses[2:]) < losses[0]
    (folder / "settings.json").write_text(json.dumps(asdict(CONFIG), indent=2))
    return job.pretrain(out, CONFIG)


def masks_alone(folder: Path) -> None:
    """The task that SAM learns alone, in this process."""
    folder.mkdir(exist_ok=True)
    threads = torch.get_num_threads()
    job.learn_masks(CONFIG, folder)
    torch.set_num_threads(threads)


def same(left: Path, right: Path) -> bool:
    """Whether two runs came to the same weights by the same steps."""
    names = (
        "sam_tiny.safetensors",
        "lmm/model.safetensors",
        "lmm/tokenizer.json",
        "pretraining.jsonl",
    )
    return all((left / name).read_bytes() == (right / name).read_bytes() for name in names)


def test_points_and_boxes_ask_for_their_mask() -> None:
    sizes = sam.SamConfig.named(job.SIZE)
    drawn = [scenes.draw(3, number, "fresh") for number in range(4)]
    shown = masks.batch_of(drawn, sizes, 2, 8, 0).shown
    cells = sizes.image_size / sizes.mask_size
    kinds = set()
    for prompt, target in zip(shown.prompts, shown.targets, strict=True):
        kinds.add(tuple(prompt[:, 2].tolist()))
        rows, columns = torch.nonzero(target > 0, as_tuple=True)
        if prompt[:, 2].tolist() == [1, -1]:
            x, y = (prompt[0, :2] / cells).long().tolist()
            assert target[y, x] > 0
        else:
            (left, top, _), (right, bottom, _) = prompt.tolist()
            slack = 0.25 * max(right - left, bottom - top) + 2 * cells
            assert abs(left - float(columns.min()) * cells) < slack
            assert abs(bottom - float(rows.max() + 1) * cells) < slack
    assert kinds == {(1, -1), (2, 3)}
    assert torch.equal(masks.batch_of(drawn, sizes, 2, 8, 0).shown.prompts, shown.prompts)


def test_a_description_asks_for_the_mask_of_what_it_describes() -> None:
    sizes = sam.SamConfig.named(job.SIZE)
    drawn = [scenes.draw(3, number, "fresh") for number in range(4)]
    described = masks.batch_of(drawn, sizes, 5, 1, 0).described
    _, placements = pictures.prepare_all([one.image for one in drawn], sizes)
    wholes = 0
    for prompt, image, target in zip(described.prompts, described.image_of.tolist(), described.targets, strict=True):
        wholes += bool(prompt[-1])
        pairs = [
            (descriptions.of(part.look if part else None, seen.body), part.mask if part else seen.mask)
            for seen in drawn[image].objects
            for part in (None, *seen.parts)
        ]
        (mask,) = [mask for words, mask in pairs if np.array_equal(words, prompt.numpy())]
        assert torch.equal(target, pictures.targets_of([mask], [placements[image]], sizes.mask_size).coverage[0])
    assert 0 < wholes < len(described.prompts)
    assert set(described.image_of.tolist()) == {0, 1, 2, 3}


@pytest.mark.soak  # a whole pre-training, if a short one
def test_both_parts_are_ordinary_checkpoints_under_four_mebibytes_with_a_log_of_each_task(made: Path) -> None:
    # In one test: what makes them takes a minute, and two tests may go to two processes, each of which would make them.
    folder = made
    weights = [folder / name for name in ("sam_tiny.safetensors", "lmm/model.safetensors")]
    assert sum(path.stat().st_size for path in weights) <= 4 * 2**20
    backbone = Backbone.load(folder / "lmm").eval()
    drawn = scenes.draw(3, 0)
    picture = backbone.picture(drawn.image)
    rendered = backbone.renderer.answered(
        backbone.renderer.prompt(picture.replacement, "What is shown?"), "A left wing."
    )
    states = backbone.states(backbone.texts([rendered.ids], [picture]), backbone.features([picture]))
    assert torch.isfinite(states).all()
    sam.load_official(weights[0], job.SIZE)
    config = PlumConfig(
        str(folder / "lmm"),
        sam=str(weights[0]),
        sam_size=job.SIZE,
        spans=SpanExtractorConfig(heads=4),
    )
    assert saving.build(config).feedback is not None
    lines = [json.loads(line) for line in (folder / "pretraining.jsonl").read_text().splitlines()]
    assert [(line["task"], line["step"]) for line in lines] == [("masks", 3), ("captions", 3)]
    assert lines[0].keys() >= {"loss", "iou", "found", "grouped", "regions", "looks"}
    assert lines[1].keys() >= {"loss", "tokens", "regions", "pointed", "attended", "chosen"}


def test_a_line_of_the_log_is_the_mean_of_some_steps() -> None:
    steps = [
        {"task": "masks", "step": step, "loss": float(step), **({"found": 1.0} if step == 3 else {})}
        for step in range(5)
    ]
    found = [json.loads(line) for line in job.thinned([json.dumps(one) for one in steps], 2)]
    assert found == [
        {"task": "masks", "step": 1, "loss": 0.5},
        {"task": "masks", "step": 3, "loss": 2.5, "found": 1.0},
        {"task": "masks", "step": 4, "loss": 4.0},
    ]


@pytest.mark.soak
def test_a_run_that_was_cut_short_comes_to_what_an_unbroken_one_does(made: Path, tmp_path: Path) -> None:
    assert same(job.pretrain(tmp_path / "parts", CONFIG), made)


def test_a_run_of_other_settings_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "parts.run").mkdir()
    (tmp_path / "parts.run" / "settings.json").write_text("{}")
    with pytest.raises(ModelError, match="holds a run of other settings"):
        job.pretrain(tmp_path / "parts", CONFIG)


def test_a_folder_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is there already"):
        job.pretrain(tmp_path, CONFIG)
