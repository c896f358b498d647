"""Checks: a table's contract as SQL. Each check finds the rows that break it; one such row blocks the commit."""

from __future__ import annotations

from collections.abc import Sequence

from tenure.define.contract_base import CheckResult, Contract
from tenure.engines.base import Engine
from tenure.errors import CheckFailed
from tenure.faults.redact import shown_row
from tenure.sql.expressions import each_of, grouped, is_null, named, negated, of
from tenure.sql.query import Join, Query
from tenure.tables.visible import same


def check_statements(contract: Contract, relation: str) -> dict[str, str]:
    """Return each check's name with the SELECT of the rows that break it, over the table as `relation`."""
    keys = list(contract.keys) or ["1 AS one"]
    broken: dict[str, Query] = {}
    if contract.keys:
        broken["keys_are_unique"] = Query(columns=keys, source=relation, group_by=keys, having="COUNT(*) > 1")
    for column in contract.required:
        broken[f"{column}_is_not_null"] = Query(columns=keys, source=relation, where=is_null(column))
    for invariant in contract.invariants:
        is_broken = negated(grouped(invariant.condition))
        broken[invariant.name] = Query(columns=keys, source=relation, where=is_broken)
    other = contract.same_rows_as
    if other:
        broken[f"no_row_of_{other}_is_lost"] = _lacking(contract.keys, other, relation)
        broken[f"no_row_is_not_of_{other}"] = _lacking(contract.keys, relation, other)
    return {name: query.on_one_line for name, query in broken.items()}


def _lacking(keys: Sequence[str], relation: str, other: str) -> Query:
    """The keys of a relation that another one lacks."""
    return Query(
        columns=each_of("a", keys),
        source=relation,
        alias="a",
        joins=[Join(other, alias="b", kind="LEFT", on=same(keys, "a", "b"))],
        where=is_null(of("b", keys[0])),
    )


def run_checks(engine: Engine, contract: Contract, relation: str) -> list[CheckResult]:
    """Return every check's result; one scan counts them all, and only a broken one is looked into."""
    statements = check_statements(contract, relation)
    if not statements:
        return []
    counts = []
    for name, sql in statements.items():
        count = Query(columns=["COUNT(*)"], source=grouped(sql), alias="broken")
        counts.append(named(grouped(count.on_one_line), name))
    found = engine.run("SELECT\n" + ",\n".join(counts)).to_pylist()[0]
    results = []
    for name, sql in statements.items():
        example = _example(engine, sql, contract) if found[name] else ""
        results.append(CheckResult(contract.table, name, found[name], example, sql))
    return results


def require_passed(results: Sequence[CheckResult]) -> None:
    """Raise CheckFailed, naming the checks, rows and an example, if any check is broken."""
    broken = [result for result in results if not result.passed]
    if broken:
        failures = "; ".join(f"{r.check}: {r.failed_rows} rows, for example {r.example}" for r in broken)
        raise CheckFailed(
            f"table '{broken[0].table}' breaks its contract, so nothing of it was written: {failures}.",
            hint=f"The SQL of the first: {broken[0].sql}",
        )


def _example(engine: Engine, sql: str, contract: Contract) -> str:
    first = Query(columns=["*"], source=grouped(sql), alias="broken", limit=1)
    row = engine.run(first.on_one_line).to_pylist()[0]
    return shown_row(row.items(), contract.personal)
