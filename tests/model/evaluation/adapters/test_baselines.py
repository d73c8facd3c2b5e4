"""Baselines: what needs no looking is at chance, masks lie where they must, and SAM is asked as SAM asks itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from model.data.samples import Sample
from model.evaluation import job
from model.evaluation.adapters import facts, masking, prompted
from model.evaluation.adapters.blind import Frequent, Learned
from model.evaluation.adapters.facts import Fact
from model.evaluation.adapters.prompted import Prompted
from model.evaluation.job import EvaluationConfig
from model.evaluation.predicting import PredictionConfig
from model.evaluation.questions import Posed
from model.plum import devices, sam
from model.plum.errors import ModelError
from model.plum.segmenter import Segmenter
from model.shipped import located
from partonomy_data import masks
from partonomy_data.photographs.views import View
from partonomy_data.store.reader import open as open_store
from tests.model.plum.sam_weights import photograph, stir

MASKS = arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 1)).filter(np.any)


def whole(root: Path, name: str, **settings: Any) -> dict[str, dict[str, Any]]:
    done = job.evaluate(root, name, EvaluationConfig(PredictionConfig(split="test", **settings)))
    rows = done.measured.rows
    return {row["metric"]: row for row in rows if (row["question_type"], row["slice"]) == ("all", "all")}


@pytest.mark.parametrize("name", ["frequent", "blind"])
def test_on_balanced_questions_who_learned_from_train_and_does_not_look_is_at_chance(
    own_store: Path, name: str
) -> None:
    assert "giou_micro_oracle" not in whole(own_store, name)
    job.evaluate(own_store, name, EvaluationConfig(PredictionConfig(split="train")))
    with open_store(own_store) as store:
        ((right, chance, n),) = store.sql(
            """
            SELECT avg(correct::INT), avg(1 / len(choices)), count(*) FROM predictions JOIN questions USING (question_id)
            WHERE model_id = $name AND balanced AND conditioning = 'oracle'
            """,
            {"name": name},
        ).fetchall()
    assert n > 100
    # In a block a choice is right once. Where it knows nothing of any name it draws, each time anew.
    assert right == pytest.approx(chance, abs=3 * np.sqrt(chance * (1 - chance) / n))


@pytest.mark.parametrize("kind", [Frequent, Learned])
def test_a_cue_that_train_has_is_found(own_store: Path, kind: Any) -> None:
    """The same questions that it learned from: the most frequent answers are right more often than chance."""
    with open_store(own_store) as store:
        model = kind("blind", store)
        rows = [row for row in store.table("questions").to_pylist() if row["split"] == "train"]
        right = [
            int(
                model.scores(
                    row["question"],
                    [frozenset(one["parts"]) for one in row["choices"]],
                    [one["text"] for one in row["choices"]],
                ).argmax()
            )
            == row["correct_index"]
            for row in rows[:150]
        ]
        chance = np.mean([1 / len(row["choices"]) for row in rows[:150]])
    assert np.mean(right) > chance + 0.15


@pytest.mark.parametrize(
    "name",
    [
        "nearest",
        *(pytest.param(one, marks=pytest.mark.soak) for one in ["whole-object", "mean-location", "color"]),
    ],
)
def test_masks_from_the_object_alone_overlap_some_and_are_nobodys_best(own_store: Path, name: str) -> None:
    found = whole(own_store, name, limit=8)
    assert 0.02 < found["giou_micro_oracle"]["value"] < 0.8
    assert found["strict_giou_predicted"]["value"] <= found["strict_giou_oracle"]["value"] + 0.2
    assert found["giou_micro_oracle"]["n_skipped"] == 0


def test_the_whole_object_is_its_own_mask_cut_to_what_is_shown(own_store: Path) -> None:
    with open_store(own_store) as store:
        row = next(one for one in store.table("questions").to_pylist() if one["referent"] == "crop")
        of = facts.facts(store, [row["question_id"]])[row["question_id"]]
        size = of.mask.shape
        sql = "SELECT mask.counts FROM objects WHERE object_id = $id"
        ((counts,),) = store.sql(sql, {"id": row["object_id"]}).fetchall()
    expected = masks.decode(masks.from_compressed(counts, size, *size)).astype(bool)
    assert np.array_equal(masking.WholeObject().mask("any", of, None), expected)  # type: ignore[arg-type]
    assert set(of.choices) == {one["text"] for one in row["choices"]}
    left, top, right, bottom = of.box
    assert expected[top:bottom, left:right].sum() >= 0.99 * expected.sum()


@given(
    arrays(np.bool_, (8, 8)),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(8, 40),
    st.integers(8, 40),
)
def test_a_grid_comes_back_from_any_box_that_is_large_enough(
    grid: Any, left: int, top: int, width: int, height: int
) -> None:
    box = left, top, left + width, top + height
    bitmap = facts.from_grid(grid, box, 60, 60)
    assert np.array_equal(facts.to_grid(bitmap, box, 8), grid)
    bitmap[top : top + height, left : left + width] = False
    assert not bitmap.any()


@given(arrays(np.float64, (5, 7), elements=st.floats(0, 1)), st.floats(0, 60))
def test_the_likeliest_are_so_many_and_none_left_out_is_likelier(share: Any, number: float) -> None:
    chosen = masking.likeliest(share, number)
    assert chosen.sum() == min(max(1, round(number)), 35)
    if not chosen.all():
        assert share[chosen].min() >= share[~chosen].max()


def test_the_largest_piece_with_the_parts_colors_is_taken() -> None:
    color = masking.Color.__new__(masking.Color)
    red, green = np.zeros(512), np.zeros(512)
    red[7 * 64], green[7 * 8] = 1.0, 1.0
    color._of_part, color._all, color._share = {"wheel": 100 * red}, 100 * (red + green), {"wheel": (0.25, 1)}
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[..., 1] = 255
    picture[2:10, 2:12] = (255, 0, 0)
    picture[15:17, 15:19] = (255, 0, 0)
    inside = np.ones((20, 20), bool)
    fact = Fact("", {}, "car", (0, 0, 20, 20), inside)
    found = color.mask("wheel", fact, posed(picture, np.zeros((20, 20), np.uint8)))
    assert found[2:10, 2:12].all()
    assert not found[15:17, 15:19].any()
    assert np.array_equal(color.mask("sail", fact, posed(picture, np.zeros((20, 20), np.uint8))), inside)


def posed(picture: Any, mask: Any) -> Posed:
    view = View(Image.fromarray(picture), 0, 0, picture.shape[:2])
    sample = Sample("s", "p", "v", view, "?", "A wheel.", (), ((2, 7, "wheel"),), (mask,), ("A wheel.", "No."), 0)
    return Posed("q", "identification", {"parts": sample}, {"parts": (0, 1)})


@given(MASKS)
def test_a_prompt_lies_in_the_part(mask: Any) -> None:
    x, y = prompted.middle_of(mask)
    assert mask[int(y), int(x)]
    left, top, right, bottom = (int(one) for one in prompted.box_of(mask))
    assert mask[top:bottom, left:right].sum() == mask.sum()
    assert mask[top].any() and mask[bottom - 1].any() and mask[:, left].any() and mask[:, right - 1].any()  # noqa: PT018


@pytest.mark.parametrize("prompt", ["box", "point"])
def test_sam_is_prompted_as_its_own_package_does_it(prompt: Any) -> None:
    config = sam.SamConfig.named("tiny")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        segmenter = Segmenter(sam.build(config))
    stir(segmenter.sam.mask_decoder, 2, 0.1)
    picture = photograph(60, 90)
    true = np.zeros((60, 90), np.uint8)
    true[10:40, 20:70] = 1
    made = Prompted(segmenter, config, prompt).mask(
        "wheel", Fact("", {}, "", (0, 0, 1, 1), true > 0), posed(picture, true)
    )
    scale = config.image_size / 90
    resized = (round(60 * scale), config.image_size)
    shown = np.asarray(Image.fromarray(picture).resize(resized[::-1], Image.Resampling.BILINEAR))
    given: dict[str, Any] = {
        "image": torch.from_numpy(shown.copy()).permute(2, 0, 1).float(),
        "original_size": (60, 90),
    }
    if prompt == "box":
        given["boxes"] = torch.tensor([[20.0, 10.0, 70.0, 40.0]]) * scale
    else:
        x, y = prompted.middle_of(true)
        given |= {"point_coords": torch.tensor([[[x, y]]]) * scale, "point_labels": torch.ones(1, 1, dtype=torch.int64)}
    (expected,) = segmenter.sam([given], multimask_output=False)
    agree = float((expected["masks"][0, 0].numpy() == made).mean())
    assert agree > 0.995
    assert (
        not Prompted(segmenter, config, prompt)
        .mask("sail", Fact("", {}, "", (0, 0, 1, 1), true > 0), posed(picture, true))
        .any()
    )


def test_a_checkpoint_that_is_not_there_is_one_line(own_store: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"sam-box:MODEL"):
        job.evaluate(own_store, "sam-box", EvaluationConfig())
    with pytest.raises(ModelError, match="there is no such model"):
        job.evaluate(own_store, f"sam-point:{tmp_path / 'sam.pth'}", EvaluationConfig())


def test_a_checkpoint_of_sam_comes_to_the_best_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "best", lambda: torch.device("meta"))
    made = prompted.loaded(Path(located("shipped:tiny/sam_tiny.safetensors")), "tiny_conv", "box")
    assert {one.device.type for one in made._segmenter.state_dict().values()} == {"meta"}


def test_the_sam_that_comes_with_the_package_is_one_too(own_store: Path) -> None:
    wanted = EvaluationConfig(PredictionConfig(limit=6), sam_size="tiny_conv")
    made = job.evaluate(own_store, "sam-box:shipped:tiny/sam_tiny.safetensors", wanted)
    assert made.model_id == "sam-box-sam_tiny"
    values = {
        row["metric"]: row["value"] for row in made.measured.rows if row["slice"] == row["question_type"] == "all"
    }
    assert values["giou_micro_oracle"] > 0.2
