"""The run ledger: an append-only table with a row a stage and run: what it made, from what, in how long."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

from tenure.define.contract import CheckResult
from tenure.store.lake import Lake

_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("stage", pa.string()),
        ("status", pa.string()),
        ("started_at", pa.timestamp("us", tz="UTC")),
        ("seconds", pa.float64()),
        ("rows", pa.int64()),
        ("fingerprint", pa.string()),
        ("versions", pa.string()),
        ("checks", pa.string()),
        ("engine", pa.string()),
        ("message", pa.string()),
    ]
)


@dataclass(kw_only=True)
class StageRun:
    """One stage of one run, or its proof: 'verify', whose rows are the cells compared.

    `status` is 'built', 'current' (nothing changed, so nothing done), 'proved' or 'failed'.
    """

    run_id: str
    stage: str
    status: str = "built"
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 0.0
    rows: int = 0
    fingerprint: str = ""
    versions: dict[str, int] = field(default_factory=dict)
    checks: Sequence[CheckResult] = ()
    engine: str = ""
    message: str = ""

    def record(self, lake: Lake) -> None:
        """Append this stage to the ledger."""
        row = {
            **{name: getattr(self, name) for name in _SCHEMA.names if name not in ("versions", "checks")},
            "versions": json.dumps(self.versions),
            "checks": json.dumps([asdict(check) for check in self.checks]),
        }
        lake.write("runs", pa.Table.from_pylist([row], schema=_SCHEMA), mode="append")


def last_runs(lake: Lake) -> dict[str, dict[str, object]]:
    """Return each stage's newest row of the ledger by stage; empty if nothing was ever run."""
    if lake.find("runs") is None:
        return {}
    rows = lake.read("runs").sort_by("started_at").to_pylist()
    return {str(row["stage"]): row for row in rows}
