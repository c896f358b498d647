"""The run ledger: an append-only table with a row a stage and run: what it made, from what, in how long."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from tenure.checks.in_memory import schema_of
from tenure.define.contract_base import CheckResult
from tenure.define.table_contracts import FIXED
from tenure.storage.s3 import S3Location
from tenure.store.chain import LINK, Anchor, linked, newest_link, read_anchor, write_anchor
from tenure.store.lake import Lake

RUNS = FIXED["runs"]
_SCHEMA = schema_of(RUNS)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

#: Bytes of the file that keeps rows which the ledger could not take. They are claimed while there is room, and
#: written in place: on a disk that is full by then there is still room for what failed.
_RESERVED = 16_384
_PENDING = "_pending_runs.json"

#: The status of a stage's row while it runs; only a process that was killed leaves it.
_STARTED = "started"
_KILLED = "the process ended without a word, as a killed one does; nothing half-done is visible"


@dataclass(kw_only=True)
class StageRun:
    """One stage of one run, or its proof: 'verify', whose rows are the cells compared.

    `status` is 'built', 'current' (nothing changed, so nothing done), 'proved', 'failed' or 'interrupted'.
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

    def begin(self, lake: Lake) -> None:
        """Note that the stage runs, so that the ledger can tell of it whatever becomes of the process; hold the lock.

        Rows of earlier runs that the ledger could not take are added to it now, if it can.
        """
        rows = _pending(lake)
        if rows:
            with suppress(Exception):
                _append(lake, rows)
                rows = []
        with suppress(OSError):
            _keep_pending(lake, [*rows, {**self._row(), "status": _STARTED}])

    def record(self, lake: Lake) -> None:
        """Append this stage to the ledger; where that fails, keep its row for the next run, and raise the error."""
        earlier = [row for row in _pending(lake) if (row["run_id"], row["stage"]) != (self.run_id, self.stage)]
        rows = [*earlier, self._row()]
        try:
            _append(lake, rows)
        except BaseException:
            with suppress(OSError):
                _keep_pending(lake, rows)
            raise
        with suppress(OSError):
            _keep_pending(lake, [])

    def _row(self) -> dict[str, Any]:
        row = {name: getattr(self, name) for name in _SCHEMA.names if name != LINK}
        return row | {
            "versions": json.dumps(self.versions),
            "checks": json.dumps([asdict(check) for check in self.checks]),
        }


def ledger(lake: Lake) -> list[dict[str, object]]:
    """Return the ledger's rows in the order in which they were written, whatever the clock said; [] before any run."""
    if lake.find("runs") is None:
        return []
    return sorted(_rows(lake.read("runs")), key=_place_in_ledger)


def _rows(stored: pa.Table) -> list[dict[str, object]]:
    """The table's rows. Arrow's own way from instants to Python loads pandas: half the time of `tenure status`."""
    place = stored.schema.get_field_index("started_at")
    microseconds = pa.chunked_array([chunk.view(pa.int64()) for chunk in stored.column(place).chunks], pa.int64())
    rows: list[dict[str, object]] = stored.set_column(place, "started_at", microseconds).to_pylist()
    return [row | {"started_at": _EPOCH + timedelta(microseconds=row["started_at"])} for row in rows]  # type: ignore[arg-type]


def last_runs(lake: Lake) -> dict[str, dict[str, object]]:
    """Return each stage's newest row of the ledger by stage; empty if nothing was ever run.

    A row that the ledger could not take yet counts too.
    """
    waiting = [row for row in _pending(lake) if row["status"] != _STARTED]
    return {str(row["stage"]): row for row in [*ledger(lake), *waiting]}


def _place_in_ledger(row: Mapping[str, object]) -> tuple[int, datetime]:
    """The ledger's version that brought the row; rows of older lakes do not say it, and came before."""
    written = json.loads(str(row["versions"])).get("runs", -1)
    return (int(written), datetime.min.replace(tzinfo=UTC)) if written >= 0 else (-1, row["started_at"])  # type: ignore[return-value]


def _append(lake: Lake, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows to the ledger. Each says which version of it brought the row: clocks go back, versions do not."""
    newest, anchor = lake.find("runs"), read_anchor(lake.folder)
    version = 0 if newest is None else newest.version + 1
    is_anchored = newest is not None and anchor is not None and anchor.version == newest.version
    earlier = [] if is_anchored else ledger(lake)
    before = anchor.chain if is_anchored and anchor else newest_link(earlier)
    ended = []
    for row in rows:
        killed = {"status": "interrupted", "message": _KILLED} if row["status"] == _STARTED else {}
        ended.append({**row, **killed, "versions": _with_version(row, version)})
    chained = linked(ended, before)
    if anchor is None and not before:
        # Before the first link, so that a missing anchor is always a loss, whenever a run is killed.
        anchor = Anchor(0, "", -1)
        write_anchor(lake.folder, anchor)
    lake.write(pa.Table.from_pylist(chained, schema=_SCHEMA), RUNS, mode="append", columns_grow=True)
    # An anchor that is lost, or tells of rows that are gone, stays so until it was looked at: see `tenure repair`.
    if anchor and (is_anchored or anchor.chain in {"", *(row.get(LINK) for row in earlier)}):
        rows_before = anchor.rows if is_anchored else len(earlier)
        write_anchor(lake.folder, Anchor(rows_before + len(chained), newest_link(chained), version))


def _with_version(row: Mapping[str, Any], version: int) -> str:
    """The row's versions of tables, with that of the ledger which brings the row."""
    return json.dumps({**json.loads(str(row["versions"])), "runs": version})


def chain_anew(lake: Lake) -> None:
    """Link the rows that the ledger has anew, as what is left after a loss, and anchor them; hold the lake's lock."""
    newest = lake.require("runs")
    # All of them come with the version that is written now: one number, so that they stay in the order of the file.
    brought = [{**row, "versions": _with_version(row, newest.version + 1)} for row in ledger(lake)]
    rows = linked(brought, "")
    lake.write(pa.Table.from_pylist(rows, schema=_SCHEMA), RUNS)
    write_anchor(lake.folder, Anchor(len(rows), newest_link(rows), newest.version + 1))


def _pending(lake: Lake) -> list[dict[str, Any]]:
    """Rows that the ledger could not take; one that still says 'started' is of a process that was killed."""
    try:
        rows = json.loads((lake.folder / _PENDING).read_bytes())
        return [row | {"started_at": datetime.fromisoformat(row["started_at"])} for row in rows]
    except (OSError, ValueError, TypeError, KeyError):
        return []  # none, or cut short by a kill: nothing is known then


def _keep_pending(lake: Lake, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the rows in place of those kept so far; the oldest go where there are too many."""
    # What was checked can be long, and a message too; the place that was claimed is not.
    kept = [{**row, "checks": "[]", "message": str(row["message"])[:1_000]} for row in rows]
    while len(_as_json(kept)) > _RESERVED:
        kept = kept[1:]
    if not rows and not (lake.folder / _PENDING).exists():
        return
    if isinstance(lake.folder, S3Location):
        (lake.folder / _PENDING).write(_as_json(kept))
        return
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(lake.folder / _PENDING, flags, 0o600)
    try:
        os.write(handle, _as_json(kept).ljust(_RESERVED))
    finally:
        os.close(handle)


def _as_json(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return json.dumps(list(rows), default=str).encode()
