"""The customers who are to be forgotten: keys as they were typed, and all that tells of them alone.

'31'                         a key of one column
'branch=north,number=2'      one of several, each by its name
'north,2'                    the same, in the key's order
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tenure.define.project import Project
from tenure.errors import UnknownCustomer
from tenure.session.work import Work
from tenure.store.rewriting import read_whole
from tenure.store.traces import Sought

#: A whole number as it is written one way alone: 007 and 7 may be two customers.
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")


def sought(work: Work, keys: Sequence[str]) -> Sought:
    """Return the customers of some typed keys; raise UnknownCustomer for what is no key of the entity."""
    project = work.project
    names = tuple(project.entity.keys)
    source = project.sources[project.entity.source]
    is_whole = tuple(source.column(name).type == "integer" for name in names)
    parsed = tuple(dict.fromkeys(_parts(project, text, is_whole) for text in keys))
    found = Sought(names, parsed, is_whole)
    return Sought(names, parsed, is_whole, _accounts(work, found))


def _parts(project: Project, text: str, is_whole: Sequence[bool]) -> tuple[str, ...]:
    names = project.entity.keys
    typed = [text] if len(names) == 1 else next(csv.reader([text], skipinitialspace=True), [])
    named = [part.partition("=") for part in typed]
    if all(equals and name.strip() in names for name, equals, _ in named):
        by_name = {name.strip(): value for name, _, value in named}
        typed = [by_name[name] for name in names if name in by_name]
    if len(typed) != len(names):
        raise UnknownCustomer(
            f"a key of entity '{project.entity.name}' has {len(names)} parts, {', '.join(names)}; {len(typed)} were "
            "given.",
            hint=f"Write it in this order, or by name: tenure forget '{','.join(f'{name}=…' for name in names)}'.",
        )
    parts = tuple(unicodedata.normalize("NFC", part.strip()) for part in typed)
    for name, part, whole in zip(names, parts, is_whole, strict=True):
        if not part or (whole and not _WHOLE.fullmatch(part)):
            raise UnknownCustomer(
                f"'{name}', of the key of entity '{project.entity.name}', is {'an integer' if whole else 'a text'}; "
                f"got {'nothing' if not part else 'another value'}.",
                hint="Write the key as the bank's files do, without leading zeros.",
            )
    return parts


def _accounts(work: Work, customers: Sought) -> dict[tuple[str, ...], frozenset[tuple[str, ...]]]:
    """The keys of accounts that bookings tell to be theirs alone, of every declared reconciliation."""
    found: dict[tuple[str, ...], frozenset[tuple[str, ...]]] = {}
    for defined in work.project.reconciliations.values():
        names = defined.accounts
        if set(customers.names) <= set(names):
            continue
        own, others = set[tuple[str, ...]](), set[tuple[str, ...]]()
        for rows in _staged(work, defined.reads, (*names, *customers.names)):
            mask = customers.rows(rows)
            own |= _values(rows.filter(mask), names)
            others |= _values(rows.filter(pc.invert(mask)), names)
        found[names] = found.get(names, frozenset()) | (own - others)
    return found


def _staged(work: Work, sources: Iterable[str], columns: Sequence[str]) -> Iterable[pa.Table]:
    """The rows of all versions of staged sources that have these columns, file by file."""
    for name in sources:
        if set(columns) <= set(work.project.sources[name].column_names):
            for file in work.lake.data_files(f"staging/{name}"):
                yield read_whole(file).select(list(dict.fromkeys(columns)))


def _values(rows: pa.Table, names: Sequence[str]) -> set[tuple[str, ...]]:
    distinct = rows.group_by(list(names)).aggregate([])
    columns = [distinct[name].cast(pa.string()).to_pylist() for name in names]
    return {value for value in zip(*columns, strict=True) if None not in value}
