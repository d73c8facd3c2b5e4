"""Types of the flows' parameters. A deployment's server refuses what doesn't fit them before a run is made, in one line.

What settings there are is said once, by the library's structs; the JSON schemas that the server checks are made from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from pydantic import Field, WithJsonSchema

from partonomy_data.llm.settings import PURPOSES, LlmSettings
from partonomy_data.questions.settings import TYPES, QuestionSettings
from partonomy_data.splits import SPLITS
from partonomy_data.store.layout import FOLDER_NAME, VERSION_NAME
from partonomy_data.validation.settings import ValidationSettings


def schema(struct: type[msgspec.Struct], **items: tuple[str, ...]) -> dict[str, Any]:
    """The JSON schema of a struct of settings, any of which may be left out. `items` lists what some lists may hold."""
    made = msgspec.json.schema(struct)
    plain: dict[str, Any] = _inlined(made, made["$defs"])
    for name, allowed in items.items():
        plain["properties"][name]["items"] = {"enum": list(allowed)}
    return {**plain, "type": ["object", "null"]}


def _inlined(part: Any, definitions: Mapping[str, Any]) -> Any:
    """A schema with its references resolved: Prefect makes one schema of all parameters, where they would lead nowhere."""
    if isinstance(part, list):
        return [_inlined(one, definitions) for one in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        part = {**definitions[part["$ref"].rpartition("/")[2]], **{k: v for k, v in part.items() if k != "$ref"}}
    return {name: _inlined(one, definitions) for name, one in part.items() if name not in ("$defs", "required")}


#: `fullmatch` of a pattern, as a JSON schema says it.
_WHOLE: Final = "^(?:{})$"

Count: TypeAlias = Annotated[int, Field(ge=1)]
#: The name of a published version.
Version: TypeAlias = Annotated[str, Field(pattern=_WHOLE.format(VERSION_NAME.pattern))]
#: The name of a trained model.
ModelId: TypeAlias = Annotated[str, Field(pattern=_WHOLE.format(FOLDER_NAME.pattern))]
#: `local`, or where the scheduler of a Dask cluster is, as in tcp://10.0.0.1:8786.
Cluster: TypeAlias = Annotated[str, Field(pattern=_WHOLE.format(r"local|(tcp|tls|ucx|ws|wss)://[^\s/]+"))]
Split: TypeAlias = Annotated[str, WithJsonSchema({"enum": list(SPLITS), "type": "string"})]

Questions: TypeAlias = Annotated[dict[str, Any] | None, WithJsonSchema(schema(QuestionSettings, types=TYPES))]
LanguageModel: TypeAlias = Annotated[dict[str, Any] | None, WithJsonSchema(schema(LlmSettings, purposes=PURPOSES))]
Validation: TypeAlias = Annotated[dict[str, Any] | None, WithJsonSchema(schema(ValidationSettings))]
