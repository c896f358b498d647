"""The customers who are to be forgotten: keys as they were typed, and all that tells of them alone.

'31'                         a key of one column
'branch=north,number=2'      one of several, each by its name
'north,2'                    the same, in the key's order
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tenure.define.project import Project
from tenure.errors import UnknownCustomer
from tenure.session.work import Work
from tenure.storage.location import for_arrow
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
    found = Sought(names, parsed, is_whole, aliases=project.entity.other_keys)
    return replace(found, others=_accounts(work, found))


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
    """The keys of accounts that were theirs alone in every version of every source that tells whose an account is."""
    return {names: _own(work, customers, names) for names in work.project.account_columns}


def _own(work: Work, customers: Sought, names: tuple[str, ...]) -> frozenset[tuple[str, ...]]:
    own = set[tuple[str, ...]]()
    for rows in _staged(work, names, customers):
        own |= _values(rows.filter(customers.rows(rows)), names)
    first = pa.array({key[0] for key in own}, pa.string())
    for rows in _staged(work, names, customers) if own else ():
        is_known = reduce(pc.and_, (pc.is_valid(rows[name]) for name in customers.names))
        is_near = pc.is_in(rows[names[0]].cast(pa.string()), first)
        is_others = pc.and_(pc.and_(pc.invert(customers.rows(rows)), is_known), is_near)
        own -= _values(rows.filter(is_others), names)
    return frozenset(own)


def _staged(work: Work, accounts: Sequence[str], customers: Sought) -> Iterator[pa.Table]:
    """Accounts and their customers, of all versions of the staged sources that tell both, file by file."""
    names = list(dict.fromkeys((*accounts, *customers.names)))
    for source in work.project.sources.values():
        for file in work.lake.data_files(f"staging/{source.name}") if set(names) <= set(source.column_names) else ():
            rows = pq.ParquetFile(for_arrow(file)).read(columns=names)
            if set(names) <= set(rows.schema.names):
                yield rows


def _values(rows: pa.Table, names: Sequence[str]) -> set[tuple[str, ...]]:
    distinct = rows.group_by(list(names)).aggregate([])
    columns = [distinct[name].cast(pa.string()).to_pylist() for name in names]
    return {value for value in zip(*columns, strict=True) if None not in value}
