"""Keys that match nobody: counted for every source about customers, told, and refused beyond the source's limit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from tenure.checks.in_memory import schema_of
from tenure.define.personal import personal_keys
from tenure.define.source import Source
from tenure.errors import UnmatchedKeys
from tenure.faults.redact import shown_row
from tenure.intake.facts import INTAKE
from tenure.session.work import Work, fingerprint
from tenure.tables.unmatched import has_customers, strangers, unmatched


def require_matched(work: Work, facts: dict[str, dict[str, Any]]) -> None:
    """Count each source's keys that match no customer, and note it in its facts.

    Raises UnmatchedKeys if they are more rows than the source allows.
    """
    project = work.project
    sources = [source for source in project.sources.values() if has_customers(project, source)]
    customers = work.require(project.entity.source).fingerprint
    counted = False
    for source in sources:
        if facts[source.name].get("matched_with") == customers:
            continue
        made = unmatched(project, source)
        work.scan(made.reads)
        (found,) = work.engine.run(made.text).to_pylist()
        facts[source.name] |= {**found, "matched_with": customers}
        counted = True
    if counted:
        rows = pa.Table.from_pylist(list(facts.values()), schema=schema_of(INTAKE))
        work.lake.write(rows, INTAKE, fingerprint=fingerprint(fact["fingerprint"] for fact in facts.values()))
    for source in sources:
        if facts[source.name]["rows_unmatched"] > source.unmatched * facts[source.name]["rows_staged"]:
            raise _refusal(work, source, facts[source.name])


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
        f"source '{source.name}': {unmatched_words(fact)} of '{project.entity.source}', such as {', '.join(examples)}; "
        f"allowed are {allowed} ({source.where_defined}).",
        hint="Their events would count for nobody. Compare how both sources write the key: its type, leading zeros, "
        f"blanks. If they are no customers, say so: Source('{source.name}', unmatched=0.2, …).",
    )


def _many(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
