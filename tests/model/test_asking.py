"""`partonomy ask`: the answer as text, as JSON, and as a picture; and the command's refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model import commands
from model.plum import saving
from model.plum.config import PlumConfig
from model.plum.errors import ModelError
from model.plum.saving import Origin
from model.plum.span_extractor import SpanExtractorConfig
from partonomy_data import masks
from tests.model.families import saved

TEXT = "It has a front wheel, and a tail."


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    config = PlumConfig(str(saved("llava", folder / "llava")), sam="random", spans=SpanExtractorConfig(heads=4))
    saving.save_pretrained(saving.build(config).eval(), folder / "plum", Origin("0" * 16))
    return folder / "plum"


@pytest.fixture(scope="module")
def photograph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stored on its side: 60 pixels wide, shown 40 wide."""
    path = tmp_path_factory.mktemp("photographs") / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def ask(model: Path, photograph: Path, tmp_path: Path, **more: str) -> str:
    given = {"question": "Which parts are visible?", "answer": TEXT, "form": "text", **more}
    return commands.ask(tmp_path, image=photograph, model=str(model), out=tmp_path / "a.png", **given)  # type: ignore[arg-type]


def test_json_holds_phrases_and_masks_of_the_upright_photograph(model: Path, photograph: Path, tmp_path: Path) -> None:
    told = json.loads(ask(model, photograph, tmp_path, form="json"))
    assert (told["text"], told["question"], told["finished"]) == (TEXT, "Which parts are visible?", True)
    assert told["parts"], "an untrained model tags something, or this test shows nothing"
    for part in told["parts"]:
        assert TEXT[part["start"] : part["end"]] == part["phrase"]
        height, width = part["mask"]["size"]
        assert (height, width) == (60, 40)
        mask = masks.decode(masks.from_compressed(part["mask"]["counts"], (60, 40), 60, 40))
        assert mask.sum() == part["area"]


def test_the_picture_shows_the_masks_in_color_and_their_names_below(
    model: Path, photograph: Path, tmp_path: Path
) -> None:
    parts = json.loads(ask(model, photograph, tmp_path, form="json"))["parts"]
    with Image.open(tmp_path / "a.png") as file, Image.open(photograph) as before:
        shown, plain = np.asarray(file.convert("RGB")), np.asarray(before.transpose(Image.Transpose.ROTATE_270))
    assert shown.shape[1] == 40
    assert shown.shape[0] > 60
    drawn = (shown[:60].astype(int) - plain.astype(int) != 0).any(-1)
    covered = np.zeros((60, 40), bool)
    for part in parts:
        covered |= masks.decode(masks.from_compressed(part["mask"]["counts"], (60, 40), 60, 40)).astype(bool)
    assert not drawn[~covered].any()
    assert drawn[covered].mean() > 0.9


def test_text_names_each_part_once_with_its_share(model: Path, photograph: Path, tmp_path: Path) -> None:
    parts = json.loads(ask(model, photograph, tmp_path, form="json"))["parts"]
    lines = ask(model, photograph, tmp_path).splitlines()
    assert lines[0] == TEXT
    assert [line.split()[0] for line in lines[1:-1]] == [part["phrase"].split()[0] for part in parts]
    assert all("of the image" in line for line in lines[1:-1])
    assert lines[-1] == f"the masks: {tmp_path / 'a.png'}"


def test_an_answer_of_its_own_is_generated(model: Path, photograph: Path, tmp_path: Path) -> None:
    told = json.loads(commands.ask(tmp_path, image=photograph, question="Which parts?", model=str(model),
                                   out=tmp_path / "b.png", answer=None, form="json"))  # fmt: skip
    assert told["text"]
    assert (tmp_path / "b.png").is_file()


def test_refusals_are_one_line(model: Path, photograph: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Formats are text and json"):
        ask(model, photograph, tmp_path, form="xml")
    with pytest.raises(ModelError, match=r"gone\.jpg: No such file or directory"):
        ask(model, tmp_path / "gone.jpg", tmp_path)
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(ModelError, match=r"text\.jpg: it can't be read as an image"):
        ask(model, tmp_path / "text.jpg", tmp_path)
    with pytest.raises(ModelError, match=r"plum-1: there is no such model\. Train one"):
        ask(Path("plum-1"), photograph, tmp_path)
    with pytest.raises(ModelError, match="control token"):
        ask(model, photograph, tmp_path, question="<image> what?")
    content = photograph.read_bytes()
    with pytest.raises(ModelError, match="written over the photograph"):
        commands.ask(tmp_path, image=photograph, question="What?", model=str(model), out=photograph,
                     answer=TEXT, form="text")  # fmt: skip
    assert photograph.read_bytes() == content
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="the picture can't be written"):
        commands.ask(tmp_path, image=photograph, question="What?", model=str(model), out=tmp_path / "file" / "a.png",
                     answer=TEXT, form="text")  # fmt: skip


def test_help_does_not_load_the_model_libraries() -> None:
    code = "import sys; from partonomy_data.cli import app; import typer.main; typer.main.get_command(app);"
    code += "sys.exit('torch' in sys.modules or 'model' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
