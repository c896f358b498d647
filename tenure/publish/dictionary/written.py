"""Every format of the dictionary, and the files that it is written as."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TypeAlias

from tenure.errors import InvalidConfig, choices
from tenure.publish.dictionary.entries import Dictionary
from tenure.publish.dictionary.files import dbt_schema, metadata, workbook
from tenure.publish.dictionary.pages import html, markdown

#: The name of each file below the folder of the dictionary, with what it holds.
Files: TypeAlias = dict[str, bytes]


def _metadata_files(dictionary: Dictionary) -> Files:
    made = {table.name: metadata(table, dictionary.project) for table in dictionary.tables}
    return {f"tables/{name}/metadata.json": text.encode() for name, text in made.items()}


#: Format → its files.
FORMATS: Mapping[str, Callable[[Dictionary], Files]] = MappingProxyType(
    {
        "markdown": lambda found: {"dictionary.md": markdown(found).encode()},
        "html": lambda found: {"dictionary.html": html(found).encode()},
        "xlsx": lambda found: {"dictionary.xlsx": workbook(found)},
        "dbt": lambda found: {"schema.yml": dbt_schema(found).encode()},
        "json": _metadata_files,
    }
)


def require_formats(formats: Collection[str]) -> tuple[str, ...]:
    """Return the formats that are asked for, all if none is; raise InvalidConfig for one that is none."""
    strange = [name for name in formats if name not in FORMATS]
    if strange:
        raise InvalidConfig(f"'{strange[0]}' is no format of the dictionary; allowed: {choices(FORMATS)}.")
    return tuple(formats) or tuple(FORMATS)


def files_of(dictionary: Dictionary, formats: Collection[str] = ()) -> Files:
    """Return the files of some formats, or of all; raise MissingDependency for one whose library is not installed."""
    found: Files = {}
    for name in require_formats(formats):
        found.update(FORMATS[name](dictionary))
    return found
