"""A data contract as Open Data Contract Standard 3.1.0 YAML: a part generated from definitions, and rules by hand.

    sources.py ──► generated: types, keys, nulls, units, roles, times, partitions, docs   a hand edit is refused
                   by hand:   ranges, values, null shares, freshness, owner, relations    kept when written anew

A contract is a mapping as its YAML has it. The generated part is seen as facts: by place, the text of a column or '' of
the table, and property. Their digest stands in the file, so that an edit there is known from one of sources.py.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeAlias

from tenure.define.contract_base import Contract
from tenure.define.personal import personal_columns
from tenure.define.source import Column, Source
from tenure.errors import InvalidDefinition

#: A contract, or a part of one, as its YAML has it.
Document: TypeAlias = dict[str, Any]

#: What the generated part says, by column ('' of the table itself) and property.
Facts: TypeAlias = dict[tuple[str, str], object]

#: The digest of the generated part, among the file's custom properties.
DIGEST = "tenureGenerated"

#: The first version of a contract.
FIRST_VERSION = "1.0.0"

_OF_FILE = ("apiVersion", "kind", "id", "name")
_OF_TABLE = ("name", "physicalName", "physicalType", "logicalType", "description")
_OF_COLUMN = (
    *("physicalType", "description", "primaryKey", "primaryKeyPosition", "logicalType", "physicalName", "required"),
    *("partitioned", "partitionKeyPosition", "classification"),
)
_CUSTOM_OF_TABLE = ("eventTime", "knownTime", "endTime", "partitionStrategy")
_CUSTOM_OF_COLUMN = ("unit", "role")

#: The standard's word for each of our types.
_LOGICAL = {"decimal": "number", "float": "number"}

#: How the name of an Arrow type begins → the standard's word; text for any other.
_LOGICAL_OF_ARROW = {
    "int": "integer",
    "uint": "integer",
    "double": "number",
    "float": "number",
    "decimal": "number",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "list": "array",
    "large_list": "array",
    "struct": "object",
    "map": "map",
}


def of_source(project: str, source: Source, contract: Contract) -> Document:
    """Return the generated contract of a source; `contract` is that of its staged table."""
    times = {"eventTime": source.event_time, "knownTime": source.known_time, "endTime": source.ends}
    personal = personal_columns(source)
    columns = [_of_column(source, column, contract, personal) for column in source.columns]
    return _document(project, source.name, contract, columns, times)


def of_table(project: str, contract: Contract, columns: Sequence[tuple[str, str, str]]) -> Document:
    """Return the generated contract of a table of Tenure's; its columns are (name, Arrow type, doc)."""
    found = [_of_stored_column(contract, *column) for column in columns]
    return _document(project, contract.table, contract, found, {})


def _document(
    project: str, name: str, contract: Contract, columns: list[Document], times: Mapping[str, str]
) -> Document:
    strategy = f"by {', '.join(contract.partition_by)}" if contract.partition_by else "none"
    table = {
        "name": name.replace("/", "_"),
        "physicalType": "table",
        "description": contract.doc,
        "customProperties": _custom({**times, "partitionStrategy": strategy}),
        "logicalType": "object",
        "physicalName": contract.table,
        "properties": columns,
    }
    made: Document = {
        "version": FIRST_VERSION,
        "kind": "DataContract",
        "apiVersion": "v3.1.0",
        "id": f"{project}: {name}",
        "name": name,
        "status": "draft",
        "schema": [_without_empty(table)],
    }
    made["customProperties"] = _custom({DIGEST: digest(facts(made))})
    return made


def _of_column(source: Source, column: Column, contract: Contract, personal: frozenset[str]) -> Document:
    return _without_empty(
        {
            "name": column.name,
            "physicalType": column.value_type.words,
            "description": column.doc,
            "customProperties": _custom({"unit": column.unit, "role": column.role}),
            **_key(column.name, source.keys),
            "logicalType": _LOGICAL.get(column.type, column.type),
            "physicalName": column.raw_name,
            "required": _is_required(source, column.name, contract) or None,
            **_partition(column.name, contract),
            "classification": "PII" if column.name in personal else None,
        }
    )


def _of_stored_column(contract: Contract, name: str, type_: str, doc: str) -> Document:
    return _without_empty(
        {
            "name": name,
            "physicalType": type_,
            "description": doc,
            **_key(name, contract.keys),
            "logicalType": _logical_of_arrow(type_),
            "physicalName": name,
            "required": name in contract.required or None,
            **_partition(name, contract),
            "classification": "PII" if name in contract.personal else None,
        }
    )


def _is_required(source: Source, name: str, contract: Contract) -> bool:
    """Whether no staged row may lack the column: the contract says the times by the names that Tenure gives them."""
    times = {source.event_time: "event_time", source.known_time: "known_time"}
    return name in contract.required or times.get(name) in contract.required


def _key(name: str, keys: Sequence[str]) -> Document:
    return {"primaryKey": True, "primaryKeyPosition": keys.index(name) + 1} if name in keys else {}


def _partition(name: str, contract: Contract) -> Document:
    if name not in contract.partition_by:
        return {}
    return {"partitioned": True, "partitionKeyPosition": contract.partition_by.index(name) + 1}


def _logical_of_arrow(type_: str) -> str:
    return next((kind for begin, kind in _LOGICAL_OF_ARROW.items() if type_.startswith(begin)), "string")


def _custom(values: Mapping[str, str]) -> list[Document]:
    return [{"property": name, "value": value} for name, value in values.items() if value]


def _without_empty(part: Document) -> Document:
    return {name: value for name, value in part.items() if value not in (None, "", [])}


def columns_of(document: Document) -> dict[str, Document]:
    """Return a contract's columns by name."""
    return {str(column.get("name", "")): column for column in _table_of(document).get("properties") or []}


def _table_of(document: Document) -> Document:
    tables = document.get("schema") or [{}]
    first: Document = tables[0]
    return first


def custom_of(part: Document, name: str) -> Any:
    """Return the value of a custom property, None if there is none of that name."""
    return next((one.get("value") for one in part.get("customProperties") or [] if one.get("property") == name), None)


def facts(document: Document) -> Facts:
    """Return what the generated part of a contract says; what is not there is left out."""
    table = _table_of(document)
    found: Facts = {("", f"file.{name}"): document.get(name) for name in _OF_FILE}
    found |= {("", name): table.get(name) for name in _OF_TABLE}
    found |= {("", name): custom_of(table, name) for name in _CUSTOM_OF_TABLE}
    for name, column in columns_of(document).items():
        found[name, "name"] = name
        found |= {(name, part): column.get(part) for part in _OF_COLUMN}
        found |= {(name, part): custom_of(column, part) for part in _CUSTOM_OF_COLUMN}
    return {place: value for place, value in found.items() if value is not None}


def digest(found: Facts) -> str:
    """Return a short hash of the generated part."""
    lines = sorted(json.dumps([*place, value], default=str) for place, value in found.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def is_edited(document: Document) -> bool:
    """Whether the generated part is not as it was written."""
    return bool(custom_of(document, DIGEST) != digest(facts(document)))


def merged(made: Document, old: Document) -> Document:
    """Return a generated contract with what stands by hand in an older one: of columns that are gone, nothing."""
    found = _with_rest(made, old, generated=(*_OF_FILE, "schema"))
    table, old_table = _table_of(made), _table_of(old)
    old_columns = columns_of(old)
    columns = [
        _with_rest(column, old_columns.get(name, {}), generated=("name", *_OF_COLUMN))
        for name, column in columns_of(made).items()
    ]
    found["schema"] = [
        {**_with_rest(table, old_table, generated=(*_OF_TABLE, "properties")), "properties": columns},
    ]
    return found


def _with_rest(made: Document, old: Document, *, generated: Iterable[str]) -> Document:
    """A generated part with what an older one has besides."""
    kept = {name: value for name, value in old.items() if name not in {*generated, "customProperties"}}
    own = [*_CUSTOM_OF_TABLE, *_CUSTOM_OF_COLUMN, DIGEST]
    custom = [
        *(made.get("customProperties") or []),
        *(one for one in old.get("customProperties") or [] if one.get("property") not in own),
    ]
    return {**made, **kept, **({"customProperties": custom} if custom else {})}


def as_yaml(document: Document) -> str:
    """Return a contract as YAML, its parts in the standard's order."""
    from open_data_contract_standard.model import OpenDataContractStandard

    return str(OpenDataContractStandard(**document).to_yaml())


def from_yaml(text: str, file: str) -> Document:
    """Return the contract of a YAML text; raise InvalidDefinition, with the place, if it is none."""
    import yaml
    from open_data_contract_standard.model import OpenDataContractStandard
    from pydantic import ValidationError

    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", "") or "it can't be read"
        raise InvalidDefinition(f"{file}{line} is no YAML: {problem}.", hint=EXPORT) from error
    if not isinstance(raw, dict):
        raise InvalidDefinition(f"{file} is no data contract: it holds no mapping.", hint=EXPORT)
    plain: Document = _plain(raw)
    try:
        model = OpenDataContractStandard(**plain)
    except (ValidationError, TypeError) as error:
        raise InvalidDefinition(f"{file}: {_problem(error)}.", hint=EXPORT) from error
    known = model.model_dump(by_alias=True, exclude_none=True)
    unknown = next(_unknown(plain, known, ""), "")
    if unknown:
        raise InvalidDefinition(
            f"{file}: {unknown} is no property of the Open Data Contract Standard.",
            hint="See docs/contract.md for what a contract may say.",
        )
    return plain


#: What writes the generated part anew.
EXPORT = "Run 'tenure contract export': it rewrites the generated part and keeps the rules that stand by hand."


def _plain(value: Any) -> Any:
    """The value with days and instants as ISO text, as the standard writes them."""
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return value.isoformat() if isinstance(value, date | datetime) else value


def _problem(error: Exception) -> str:
    """The first thing that the standard's model finds wrong, and where."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return "it is no data contract"
    first = errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {str(first['msg']).lower()}"


def _unknown(raw: Any, known: Any, place: str) -> Iterator[str]:
    """The places of what the standard's model passes over."""
    if isinstance(raw, dict) and isinstance(known, dict):
        for name, value in raw.items():
            here = f"{place}.{name}" if place else name
            if name in known:
                yield from _unknown(value, known[name], here)
            elif value is not None:
                yield f"'{here}'"
    elif isinstance(raw, list) and isinstance(known, list):
        for number, (value, other) in enumerate(zip(raw, known, strict=False)):
            yield from _unknown(value, other, f"{place}[{_label(value, number)}]")


def _label(value: Any, number: int) -> str:
    return str(value.get("name", number)) if isinstance(value, dict) else str(number)
