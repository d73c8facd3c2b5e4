"""What a deployment's server checks before it makes a run: the schemas of the flows' parameters, and what is deployed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from prefect import Flow
from prefect.utilities.schema_tools import validate
from prefect.utilities.schema_tools.validation import ValidationError

from flows import events, parameters
from flows.build import build_partonomy
from flows.evaluate import evaluate_plum
from flows.refresh import refresh_partonomy
from flows.train import train_plum
from partonomy_data.llm.settings import LlmSettings
from partonomy_data.questions.settings import QuestionSettings
from partonomy_data.validation.settings import ValidationSettings

PROJECT = Path(__file__).resolve().parents[2]
FLOWS: dict[str, Flow[..., Any]] = {
    "flows/build.py:build_partonomy": build_partonomy,
    "flows/refresh.py:refresh_partonomy": refresh_partonomy,
    "flows/train.py:train_plum": train_plum,
    "flows/evaluate.py:evaluate_plum": evaluate_plum,
}
DEPLOYMENTS = {one["entrypoint"]: one for one in yaml.safe_load((PROJECT / "prefect.yaml").read_text())["deployments"]}


def check(flow: Flow[..., Any], given: dict[str, Any]) -> None:
    """As the server does."""
    validate(given, flow.parameters.model_dump(), raise_on_error=True)


@pytest.mark.parametrize(
    ("name", "struct"), [("questions", QuestionSettings), ("llm", LlmSettings), ("validation", ValidationSettings)]
)
def test_all_settings_of_the_library_are_admitted_and_no_others(name: str, struct: type[msgspec.Struct]) -> None:
    plain = json.loads(msgspec.json.encode(struct()))
    check(build_partonomy, {name: plain})
    check(build_partonomy, {name: None})
    check(build_partonomy, {name: {}})
    for setting, value in plain.items():
        check(build_partonomy, {name: {setting: value}})
    with pytest.raises(ValidationError, match=re.escape(f"field '{name}'. Failure reason: Additional properties")):
        check(build_partonomy, {name: {"no such setting": 1}})


@pytest.mark.parametrize(
    ("flow", "given", "line"),
    [
        (
            build_partonomy,
            {"questions": {"types": ["x"]}},
            "field 'questions.types[0]'. Failure reason: 'x' is not one",
        ),
        (
            build_partonomy,
            {"questions": {"splits": {"val": "x"}}},
            "'questions.splits.val'. Failure reason: 'x' is not",
        ),
        (build_partonomy, {"llm": {"purposes": ["x"]}}, "field 'llm.purposes[0]'. Failure reason: 'x' is not one"),
        (build_partonomy, {"workers": 0}, "field 'workers'. Failure reason: 0 is less than the minimum of 1"),
        (build_partonomy, {"limit": 1.5}, "field 'limit'. Failure reason: 1.5 is not"),
        (build_partonomy, {"sources": ["/data"]}, "field 'sources'. Failure reason: ['/data'] is not"),
        (build_partonomy, {"demo": "huge"}, "field 'demo'. Failure reason: 'huge' is not"),
        (build_partonomy, {"dask": "here"}, "field 'dask'. Failure reason: 'here' does not match"),
        (refresh_partonomy, {"dask": "tcp://"}, "field 'dask'. Failure reason: 'tcp://' does not match"),
        (refresh_partonomy, {"root": None}, "field 'root'. Failure reason: None is not of type 'string'"),
        (train_plum, {"version": "../../etc/passwd"}, "field 'version'. Failure reason: '../../etc/passwd' does not"),
        (evaluate_plum, {"version": "0" * 16}, "Failure reason: 'model_id' is a required property"),
        (evaluate_plum, {"version": "0" * 16, "model_id": "../x"}, "field 'model_id'. Failure reason: '../x' does"),
        (
            evaluate_plum,
            {"version": "0" * 16, "model_id": "m", "split": "dev"},
            "'split'. Failure reason: 'dev' is not",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(flow: Flow[..., Any], given: dict[str, Any], line: str) -> None:
    with pytest.raises(ValidationError) as raised:
        check(flow, given)
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("entrypoint", sorted(FLOWS))
def test_each_flow_is_deployed_with_parameters_that_fit_one_run_at_a_time(entrypoint: str) -> None:
    deployed = DEPLOYMENTS[entrypoint]
    schema = FLOWS[entrypoint].parameters.model_dump()
    schema.pop("required", None)  # a trigger gives those
    validate(deployed["parameters"], schema, raise_on_error=True)
    assert deployed["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}
    assert deployed["work_pool"] == {"name": "partonomy"}
    assert deployed["description"].endswith(".")
    assert "partonomy" in deployed["tags"]


def rendered(trigger: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    """The parameters that a trigger makes of an event's payload, which keep their types."""
    found = {name: re.fullmatch(r"{{ event\.payload\.(\w+) }}", text) for name, text in trigger["parameters"].items()}
    return {name: payload[match[1]] for name, match in found.items() if match}


def test_what_events_tell_fits_the_flows_that_they_start(demo_store: Path) -> None:
    published = events.dataset_published(demo_store, (demo_store / "CURRENT").read_text().strip())
    trained = events.model_trained(demo_store, published.payload["version"], "plum-1")
    for entrypoint, event in (("flows/train.py:train_plum", published), ("flows/evaluate.py:evaluate_plum", trained)):
        (trigger,) = DEPLOYMENTS[entrypoint]["triggers"]
        assert trigger["expect"] == [event.event]
        assert event.resource.id.startswith(trigger["match"]["prefect.resource.id"].removesuffix("*"))
        given = rendered(trigger, event.payload)
        assert set(given) == set(trigger["parameters"])
        check(FLOWS[entrypoint], {**DEPLOYMENTS[entrypoint]["parameters"], **given})


def test_schemas_hold_no_references() -> None:
    for made in (parameters.schema(struct) for struct in (QuestionSettings, LlmSettings, ValidationSettings)):
        assert "$ref" not in str(made)
        assert "$defs" not in str(made)
