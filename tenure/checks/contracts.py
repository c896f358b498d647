"""Checks: a table's contract as SQL. Each check finds the rows that break it; one such row blocks the commit."""

from __future__ import annotations

from collections.abc import Sequence

from tenure.define.contract import CheckResult, Contract
from tenure.engines.base import Engine
from tenure.errors import CheckFailed
from tenure.faults.redact import shown_row
from tenure.tables.visible import same


def check_statements(contract: Contract, relation: str) -> dict[str, str]:
    """Return each check's name with the SELECT of the rows that break it, over the table as `relation`."""
    keys = ", ".join(contract.keys) or "1 AS one"
    statements: dict[str, str] = {}
    if contract.keys:
        statements["keys_are_unique"] = f"SELECT {keys} FROM {relation} GROUP BY {keys} HAVING COUNT(*) > 1"
    for column in contract.required:
        statements[f"{column}_is_not_null"] = f"SELECT {keys} FROM {relation} WHERE {column} IS NULL"
    for invariant in contract.invariants:
        statements[invariant.name] = f"SELECT {keys} FROM {relation} WHERE NOT ({invariant.condition})"
    if contract.same_rows_as:
        other = contract.same_rows_as
        lacking = (
            f"FROM {{}} AS a LEFT JOIN {{}} AS b ON {same(contract.keys, 'a', 'b')} WHERE b.{contract.keys[0]} IS NULL"
        )
        columns = ", ".join(f"a.{k}" for k in contract.keys)
        statements[f"no_row_of_{other}_is_lost"] = f"SELECT {columns} {lacking.format(other, relation)}"
        statements[f"no_row_is_not_of_{other}"] = f"SELECT {columns} {lacking.format(relation, other)}"
    return statements


def run_checks(engine: Engine, contract: Contract, relation: str) -> list[CheckResult]:
    """Return every check's result; one scan counts them all, and only a broken one is looked into."""
    statements = check_statements(contract, relation)
    if not statements:
        return []
    counts = ",\n".join(f"(SELECT COUNT(*) FROM ({sql}) AS broken) AS {name}" for name, sql in statements.items())
    found = engine.run(f"SELECT\n{counts}").to_pylist()[0]
    return [
        CheckResult(contract.table, name, found[name], _example(engine, sql, contract) if found[name] else "", sql)
        for name, sql in statements.items()
    ]


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
    row = engine.run(f"SELECT * FROM ({sql}) AS broken LIMIT 1").to_pylist()[0]
    return shown_row(row.items(), contract.personal)
