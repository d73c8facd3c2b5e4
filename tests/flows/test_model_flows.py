"""Training and evaluating as flows: what they need, and what they tell."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows import extras
from flows.evaluate import evaluate_plum
from flows.train import train_plum
from partonomy_data.errors import UsageError
from tests.helpers.stores import linked


def test_a_function_of_a_package_that_is_there_is_found() -> None:
    assert extras.ready("train-plum", "json", "dumps") is json.dumps


@pytest.mark.parametrize("module", ["model.no_such_module", "no_such_package"])
def test_what_is_not_installed_is_said_with_how_to_mend_it(module: str) -> None:
    with pytest.raises(UsageError) as raised:
        extras.ready("train-plum", module, "train")
    assert str(raised.value) == (
        f"train-plum needs the [model] extra: {module} is not installed. Run: pip install 'partonomy-data[model]'."
    )


def test_a_library_that_a_module_lacks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="extra: no_such_library is not installed"):
        extras.ready("evaluate-plum", "half_installed", "evaluate")


def test_training_is_on_the_current_version_unless_another_is_named(
    demo_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def train(**given: Any) -> str:
        asked.append(given)
        return "plum-1"

    monkeypatch.setattr("flows.train.ready", lambda *_: train)
    current = (demo_store / "CURRENT").read_text().strip()
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        done = train_plum.fn(root=str(demo_store), config="tiny.yaml")
        gone = train_plum.fn(root=str(demo_store), version="0" * 16)
    assert asked == [{"root": demo_store, "version": current, "config": Path("tiny.yaml")}]
    assert (done.is_completed(), done.message) == (True, f"trained plum-1 on version {current}")
    assert gone.is_failed()
    assert gone.message.startswith(f"{demo_store}: there is no version {'0' * 16}.")


def test_a_store_in_a_bucket_is_trained_on_and_evaluated_in_its_state_folder(
    demo_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, version = tmp_path / "state", (demo_store / "CURRENT").read_text().strip()
    monkeypatch.setenv("PARTONOMY_STATE", str(state))
    asked: list[tuple[Path, str | None]] = []

    def fetched(root: Path, wanted: str | None) -> None:
        """The bucket's part, which other tests have a server for: the version is there afterwards."""
        asked.append((root, wanted))
        linked(demo_store, root)

    for flow in ("train", "evaluate"):
        monkeypatch.setattr(f"flows.{flow}.version_here", fetched)
        monkeypatch.setattr(f"flows.{flow}.ready", lambda *_: lambda **given: given["root"].name)
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        trained = train_plum.fn(root="s3://bucket/parts")
    assert (trained.is_completed(), trained.message) == (True, f"trained state on version {version}")
    for path in state.iterdir():
        if path.name != "REMOTE":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (state / "models" / "plum-1").mkdir(parents=True)
    monkeypatch.setattr("flows.evaluate.create_markdown_artifact", lambda *_, **__: None)
    evaluated = evaluate_plum.fn(root="s3://bucket/parts", version=version, model_id="plum-1")
    assert evaluated.is_completed(), evaluated.message
    assert asked == [(state, None), (state, version)]


def test_a_model_that_is_not_there_is_not_evaluated(demo_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.evaluate.ready", lambda *_: pytest.fail)
    current = (demo_store / "CURRENT").read_text().strip()
    done = evaluate_plum.fn(root=str(demo_store), version=current, model_id="plum-1")
    assert done.is_failed()
    assert done.message == f"{demo_store / 'models' / 'plum-1'}: there is no such model. Train it first (train-plum)."
