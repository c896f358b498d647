"""Keys that match nobody: counted for every source about customers, told, and refused beyond the source's limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import pyarrow as pa

from tenure.checks.in_memory import schema_of
from tenure.define.personal import personal_keys
from tenure.define.source import Source
from tenure.errors import UnmatchedKeys
from tenure.faults.redact import shown_row
from tenure.intake.facts import INTAKE
from tenure.intake.naming_errors import columns_in_words
from tenure.session.fingerprints import fingerprint
from tenure.session.work import Work
from tenure.store.table import TableVersion
from tenure.tables.unmatched import CUSTOMERS_BEFORE, SOME_ROWS, has_customers, known_otherwise, strangers, unmatched

_COUNTS = ("rows_unmatched", "keys_unmatched", "rows_too_early")

#: The version of a source before new rows came to it, and the version with them: most of their files are the same.
Changed: TypeAlias = tuple[TableVersion, TableVersion]


def require_matched(work: Work, facts: dict[str, dict[str, Any]], grown: Mapping[str, Changed]) -> None:
    """Count each source's keys that match no customer, and note it in its facts.

    Of a source in `grown`, whose version has new rows beside those of the version before, only those are counted where
    that gives the same numbers. Raises UnmatchedKeys if they are more rows than the source allows.
    """
    project = work.project
    sources = [source for source in project.sources.values() if has_customers(project, source)]
    customers = work.require(project.entity.source).fingerprint
    counted = False
    for source in sources:
        if facts[source.name].get("matched_with") == customers:
            continue
        changed = grown.get(source.name)
        found = changed and _of_changed(work, source, facts[source.name], changed)
        facts[source.name] |= {**(found or _of_all(work, source)), "matched_with": customers}
        counted = True
    if counted:
        rows = pa.Table.from_pylist(list(facts.values()), schema=schema_of(INTAKE))
        work.lake.write(rows, INTAKE, fingerprint=fingerprint(fact["fingerprint"] for fact in facts.values()))
    for source in sources:
        if facts[source.name]["rows_unmatched"] > source.unmatched * facts[source.name]["rows_staged"]:
            raise _refusal(work, source, facts[source.name])


def _of_all(work: Work, source: Source) -> dict[str, Any]:
    made = unmatched(work.project, source)
    work.scan(made.reads)
    (found,) = work.engine.run(made.text).to_pylist()
    return dict(found)


def _of_changed(work: Work, source: Source, facts: Mapping[str, Any], changed: Changed) -> dict[str, Any] | None:
    """The numbers of a source's rows, from those of before and of the files that came and went; None where a number of
    keys can't be told so, or where a customer is known since another time.
    """
    if facts.get("keys_unmatched") != 0 or not _customers_stay(work, str(facts.get("matched_with"))):
        return None
    before, now = (set(version.files) for version in changed)
    found = {name: facts[name] for name in _COUNTS}
    for sign, files in ((1, now - before), (-1, before - now)):
        made = unmatched(work.project, source, SOME_ROWS)
        work.scan([work.project.entity.source])
        work.engine.scan(SOME_ROWS, sorted(files), changed[1].schema, ())
        (counted,) = work.engine.run(made.text).to_pylist()
        for name in _COUNTS:
            found[name] += sign * counted[name]
    return found


def _customers_stay(work: Work, matched_with: str) -> bool:
    """Whether every customer of the version with a fingerprint is known since the same time now."""
    table = work.stored(work.project.entity.source)
    version = work.require(work.project.entity.source)
    if version.fingerprint == matched_with:
        return True
    found = work.lake.find(table, version.version - 1, verified=False) if version.version else None
    if found is None or found.fingerprint != matched_with or found.missing_files():
        return False
    work.engine.scan(CUSTOMERS_BEFORE, found.files, found.schema, found.partition_by)
    work.scan([work.project.entity.source])
    (counted,) = work.engine.run(known_otherwise(work.project).text).to_pylist()
    return not counted["customers"]


def unmatched_words(fact: Mapping[str, Any]) -> str:
    """Return what there is to say of a source's keys that match nobody; '' if all do, or it is about no customers."""
    if not fact.get("rows_unmatched"):
        return ""
    rows, keys = _many(fact["rows_unmatched"], "row"), _many(fact["keys_unmatched"], "key")
    return f"{rows} of {keys} match no customer"


def _refusal(work: Work, source: Source, fact: Mapping[str, Any]) -> UnmatchedKeys:
    project = work.project
    made = strangers(project, source, 3)
    work.scan(made.reads)
    examples = []
    for row in work.engine.run(made.text).to_pylist():
        rows = row.pop("n")
        examples.append(f"{shown_row(list(row.items()), personal_keys(project))} ({_many(rows, 'row')})")
    allowed = f"{source.unmatched:.1%} of {_many(fact['rows_staged'], 'row')} (unmatched={source.unmatched:g})"
    return UnmatchedKeys(
        f"source '{source.name}', {columns_in_words(project.entity.keys)}: {unmatched_words(fact)} of "
        f"'{project.entity.source}', such as {', '.join(examples)}; "
        f"allowed are {allowed} ({source.where_defined}).",
        hint="Their events would count for nobody. Compare how both sources write the key: its type, leading zeros, "
        f"blanks. If they are no customers, say so: Source('{source.name}', unmatched=0.2, …).",
    )


def _many(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
