"""croissant.json: what a version holds, for tools that read MLCommons' Croissant.

Each table that has rows is a set of files and a set of records, whose fields are the table's columns, as `schemas` describes
them. It follows from the manifest alone, and not from the version before, so that equal versions have equal bytes.

Format: Croissant 1.0, https://docs.mlcommons.org/croissant/docs/croissant-spec.html.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from partonomy_data.store.files import json_text
from partonomy_data.store.layout import PREVIEW
from schemas.columns import Column
from schemas.tables import TABLES, Table

#: The JSON-LD context that the specification asks for.
_CONTEXT: Final = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataBiases": "cr:dataBiases",
    "dataCollection": "cr:dataCollection",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "personalSensitiveInformation": "cr:personalSensitiveInformation",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_FILES: Final = "-files"


def text(manifest: Mapping[str, Any]) -> str:
    """The text of croissant.json for a version with this manifest; the same bytes for the same tables, files and inputs."""
    rows: Mapping[str, int] = manifest["tables"]
    tables = [table for name, table in TABLES.items() if rows.get(name)]
    tool = manifest.get("tool", {})
    made_by = f" Made by {tool['name']} {tool['version']}." if tool else ""
    sources = ", ".join(sorted(manifest.get("inputs", {})))
    described = (
        "Objects and their parts in photographs"
        + (f" of {sources}" if sources else "")
        + ", with masks, a part taxonomy"
        " over them, and questions about them. The photographs are not part of it, and keep the licences of their owners"
        + (f"; {PREVIEW} shows a few, made small." if manifest.get("preview") else ".")
        + made_by
    )
    content = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": f"partonomy-{manifest['version']}",
        "description": described,
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        # The specification wants three numbers; the version's own name, a digest, is in `identifier`.
        "version": f"{manifest['schema_version']}.0.0",
        "identifier": manifest["version"],
        "isLiveDataset": False,
        "distribution": [_files(table, manifest["files"]) for table in tables],
        "recordSet": [_records(table, rows[table.name]) for table in tables],
    }
    return json_text(content)


def _files(table: Table, files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    # Readers don't agree on whether `**` may stand for no folder at all.
    deep = any(one["path"].count("/") > 1 for one in files if one["path"].startswith(f"{table.name}/"))
    return {
        "@type": "cr:FileSet",
        "@id": table.name + _FILES,
        "name": table.name + _FILES,
        "description": f"The Parquet files of the table {table.name}; manifest.json has their digests.",
        "encodingFormat": "application/x-parquet",
        "includes": f"{table.name}/**/*.parquet" if deep else f"{table.name}/*.parquet",
    }


def _records(table: Table, n_rows: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "@type": "cr:RecordSet",
        "@id": table.name,
        "name": table.name,
        "description": f"One record is {table.row}; there are {n_rows:,}.",
        "field": [_field(table, column) for column in table.columns],
    }
    if table.key:
        made["key"] = [{"@id": f"{table.name}/{name}"} for name in table.key]
    return made


def _field(table: Table, column: Column) -> dict[str, Any]:
    """A column as a field; the members of a struct, or of a list of structs, are its sub-fields."""
    place = f"{table.name}/{column.name}"
    kind, repeated = _element(column.type)
    made: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": place,
        "name": place,
        "description": column.description + (" (may be null)" if column.nullable else ""),
        "dataType": _data_type(kind),
        "source": _source(table, column.name),
    }
    if repeated:
        made["repeated"] = True
    if pa.types.is_struct(kind):
        made["subField"] = [_sub_field(table, column.name, place, "$" + "[*]" * repeated, one) for one in kind.fields]
    return made


def _sub_field(table: Table, column: str, parent: str, path: str, field: pa.Field) -> dict[str, Any]:
    place, inner = f"{parent}/{field.name}", f"{path}.{field.name}"
    kind, repeated = _element(field.type)
    made: dict[str, Any] = {
        "@type": "cr:Field",
        "@id": place,
        "name": place,
        "dataType": _data_type(kind),
        "source": {**_source(table, column), "transform": {"jsonPath": inner}},
    }
    if repeated:
        made["repeated"] = True
    if pa.types.is_struct(kind):
        made["subField"] = [_sub_field(table, column, place, inner + "[*]" * repeated, one) for one in kind.fields]
    return made


def _source(table: Table, column: str) -> dict[str, Any]:
    return {"fileSet": {"@id": table.name + _FILES}, "extract": {"column": column}}


def _element(kind: pa.DataType) -> tuple[pa.DataType, bool]:
    """A list's elements and True, or the type itself and False."""
    is_list = pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)
    return (kind.value_type, True) if is_list else (kind, False)


def _data_type(kind: pa.DataType) -> str:
    """The name that Croissant has for an Arrow type."""
    if pa.types.is_struct(kind):
        return "sc:StructuredValue"
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    if pa.types.is_floating(kind):
        return "sc:Float"
    return "sc:DateTime" if pa.types.is_timestamp(kind) else "sc:Text"
