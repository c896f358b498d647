"""Forgetting a customer: out of every table and version that is kept and every file beside them, with a proof.

```
key ─► refused from now on ─► other files ─► tables rewritten ─► every file decoded and searched ─► done
                                             those without the key first   a trace is an error, and nothing is claimed
```
A run that was stopped is ended by the same verb; until then no other run writes the lake.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tenure.catalog.forgotten_keys import sought
from tenure.catalog.views import refresh_views
from tenure.errors import StoreError, UnknownCustomer
from tenure.session.work import Work
from tenure.storage.location import Location, below, files_below, is_below, write_whole
from tenure.storage.s3 import S3Location
from tenure.store.chain import problems
from tenure.store.refused import begin_refusing, end_forgetting
from tenure.store.repair import FOLDER as DAMAGED
from tenure.store.rewriting import Change, Rewritten, affected, read_whole, rewrite
from tenure.store.rows import write_file
from tenure.store.runs import StageRun, chain_anew, ledger
from tenure.store.traces import GONE, Sought
from tenure.tables.profile import VALUE

#: Pages and files that show the least and the greatest value of columns, or single bookings: they may be a customer's.
_OF_ROWS = ("explore.html", "dictionary/", "quality.html", "reconciliation.html")

#: Figures of fewer customers, or of fewer values, may tell a single one's.
_FEWEST = 100

#: What profiles tell: ends, which are one row's value; figures of many rows; values that many rows have.
_ENDS = ("least", "greatest", "bin_start", "bin_end")
_FIGURES = ("mean", "deviation", "lower_quartile", "median", "upper_quartile", "shift")
_VALUES = {"most_frequent": "most_frequent_rows", "value": "rows"}

#: Tables of what many rows say.
_PROFILES = ("explore/profiles", "explore/distributions", "monthly_profiles", "snapshot_profiles", "checks", "drift")

#: What findings say may quote a value.
_WORDS = {"checks": "reason", "drift": "words"}

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Changed:
    """A file beside the tables, and what happens to it: 'rewritten' or 'removed'."""

    file: str
    done: str


@dataclass(frozen=True)
class Forgotten:
    """What forgetting does or did: tables and files, the models that saw the customers, and how many files were proved.

    `customers` are the keyed hashes by which staging knows them.
    """

    customers: tuple[str, ...]
    tables: tuple[Rewritten, ...]
    files: tuple[Changed, ...]
    models: tuple[str, ...]
    proved: int = 0

    @property
    def rows(self) -> int:
        """The rows that go, counted once a file."""
        return sum(table.rows for table in self.tables)


def foreseen(work: Work, keys: Sequence[str]) -> Forgotten:
    """Return what `forget` would do; nothing is changed. Raises UnknownCustomer."""
    _require_local(work)
    customers = sought(work, keys)
    changes = _changes(work, customers)
    would = (affected(work.lake, table, changes(table)) for table in _in_order(work, customers))
    tables = tuple(found for found in would if found.files)
    files = tuple(_files(work, customers, is_dry=True))
    _require_known(work, customers, tables)
    return Forgotten((), tables, files, _models(work, customers))


def forget(work: Work, keys: Sequence[str]) -> Forgotten:
    """Remove customers from every kept version of every table and from all files beside them, and prove it.

    Raises UnknownCustomer for a key that no table holds or that was forgotten before, LakeBusy, and StoreError, with
    the files named, if a trace of a customer is left that is not Tenure's to remove.
    """
    begun = time.perf_counter()
    _require_local(work)
    with work.lake.locked(forgetting=True):
        customers = sought(work, keys)
        changes, order = _changes(work, customers), _in_order(work, customers)
        if not any(affected(work.lake, table, changes(table)).files for table in order):
            _require_known(work, customers, ())
        is_chained = not list(problems(ledger(work.lake), work.lake.folder)) or bool(work.lake.refused().unfinished)
        refused = begin_refusing(work.lake.folder, customers.keys, customers.others, _models(work, customers))
        hashes = tuple(refused.hash_of(key) for key in customers.keys)
        models = tuple(sorted({name for one in hashes for name in refused.unfinished[one]}))
        # Which accounts are theirs alone is told by tables, so that these go last: a run after a kill asks them again.
        files = tuple(_files(work, customers, is_dry=False))
        rewritten = tuple(rewrite(work.lake, table, changes(table)) for table in order)
        if is_chained and list(problems(ledger(work.lake), work.lake.folder)):
            chain_anew(work.lake)
        refresh_views(work)
        proved = _prove(work, customers)
        done = Forgotten(hashes, tuple(table for table in rewritten if table.files), files, models, proved)
        _record(work, done, time.perf_counter() - begun)
        end_forgetting(work.lake.folder, hashes)
    return done


def _record(work: Work, done: Forgotten, seconds: float) -> None:
    """Add a row to the ledger, in which customers stand as their hashes alone."""
    who = ", ".join(done.customers)
    message = f"forgotten: {who}; {done.rows:,} rows of {len(done.tables)} tables, {len(done.files)} other files"
    StageRun(run_id=work.run_id, stage="forget", rows=done.rows, seconds=seconds, message=message).record(work.lake)


def _require_local(work: Work) -> None:
    for what, place in (("lake", work.lake.folder), ("output", work.output)):
        if isinstance(place, S3Location):
            raise StoreError(
                f"the {what} '{place}' lies on S3, where a bucket may keep what is removed; 'tenure forget' works on "
                "folders of this machine.",
                hint="Copy the lake here with 'tenure lake copy', forget, copy it to a new prefix, and remove the old "
                "one with all its versions.",
            )


def _require_known(work: Work, customers: Sought, tables: Sequence[Rewritten]) -> None:
    """Raise UnknownCustomer if no table holds the customers, unless a run that forgets them was stopped."""
    refused = work.lake.refused()
    if tables or (refused and any(refused.hash_of(key) in refused.unfinished for key in customers.keys)):
        return
    if refused and all(refused.holds(key) for key in customers.keys):
        days = sorted({refused.customers[refused.hash_of(key)][:10] for key in customers.keys})
        raise UnknownCustomer(
            f"forgotten already, on {', '.join(days)}: no table of the lake '{work.lake.folder}' holds the customer.",
            hint="See it in the ledger: 'tenure show runs'.",
        )
    raise UnknownCustomer(
        f"no table of the lake '{work.lake.folder}', in any version that is kept, holds a customer with that "
        f"{' and '.join(customers.names)}. Nothing was changed.",
        hint="Write the key as staged tables do: 'tenure show staging/…'.",
    )


def _in_order(work: Work, customers: Sought) -> list[str]:
    """The lake's tables, those first that need others to tell whose their rows are, then the staged ones last."""

    def place(table: str) -> tuple[int, str]:
        version = work.lake.find(table, verified=False)
        tells = version is not None and customers.tells(version.schema.names)
        return (2 if table.startswith(("staging/", "training_set")) else 1) if tells else 0, table

    return sorted(work.lake.tables(), key=place)


def _changes(work: Work, customers: Sought) -> Callable[[str], Change]:
    """What becomes of the rows of each table, by its name."""
    theirs = _theirs(work, customers)

    def change(table: str) -> Change:
        def profiles(rows: pa.Table) -> pa.Table | None:
            kept = customers.without(rows)
            hidden = _without_figures(table, rows if kept is None else kept, theirs)
            return kept if hidden is None else hidden

        return profiles if table in _PROFILES else customers.without

    return change


@dataclass
class _Theirs:
    """What the customers' rows of a relation hold, by column, and other customers who are in it, some at least."""

    values: dict[str, set[float | str]] = field(default_factory=dict)
    others: set[tuple[Any, ...]] = field(default_factory=set)


def _theirs(work: Work, customers: Sought) -> dict[str, _Theirs]:
    """What the customers' rows hold, by relation, if there is a profile that may tell of it."""
    found: dict[str, _Theirs] = {}
    if not any(work.lake.find(table, verified=False) for table in _PROFILES):
        return found
    for relation in (*work.project.sources, "features"):
        for file in work.lake.data_files(work.stored(relation)):
            rows = read_whole(file)
            mask = customers.rows(rows)
            if mask is not None:
                _note(found.setdefault(relation, _Theirs()), rows, mask, customers)
    return found


def _note(theirs: _Theirs, rows: pa.Table, mask: Any, customers: Sought) -> None:
    for name, values in rows.filter(mask).to_pydict().items():
        theirs.values.setdefault(name, set()).update(shown for value in values for shown in _shown(value))
    names = [name for name in customers.names if name in rows.schema.names]
    if len(theirs.others) < _FEWEST:
        distinct = rows.filter(pc.invert(mask)).group_by(names).aggregate([]).slice(0, _FEWEST)
        theirs.others.update(zip(*(distinct[name].to_pylist() for name in names), strict=True))


def _shown(value: Any) -> Iterator[float | str]:
    """A value as a profile may have it: a text, a number, or the days or seconds since 1970."""
    if isinstance(value, datetime):
        days = (value.replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds() / 86_400
        yield from (days, days * 86_400, days * 86_400e6)
    elif isinstance(value, date):
        yield float((value - _EPOCH).days)
    elif isinstance(value, str):
        yield value
    elif value is not None and not isinstance(value, bytes | list | dict):
        yield float(value)


def _without_figures(table: str, rows: pa.Table, theirs: Mapping[str, _Theirs]) -> pa.Table | None:
    """Rows of a profile without what tells, or may tell, a value of the customers; None if no cell does."""
    kept: list[dict[str, Any]] = []
    is_changed = False
    for row in rows.to_pylist():
        of = theirs.get(row.get("relation") or row.get("source") or "features", _Theirs())
        made = _hidden(table, row, of.values.get(row["column_name"], set()), len(of.others))
        is_changed |= made != row
        kept += [] if made is None else [made]
    return pa.Table.from_pylist(kept, schema=rows.schema) if is_changed else None


def _hidden(table: str, row: dict[str, Any], values: set[float | str], others: int) -> dict[str, Any] | None:
    """A row of a profile as it may stay; None if it may not."""
    if table == "monthly_profiles":
        value = row["measure"].removeprefix(VALUE)
        is_shown = value != row["measure"] and value in values
        return None if is_shown and (others < _FEWEST or row["rows"] < _FEWEST) else row
    if table in _WORDS:
        words = _WORDS[table]
        for value in sorted(str(v) for v in values if isinstance(v, str) and row[words]):
            row = row | {words: row[words].replace(f"'{value}'", f"'{GONE}'")}
        return row
    hidden = row | dict.fromkeys(_telling(row, values, others))
    return hidden | (_of_snapshot(row, values, others) if table == "snapshot_profiles" and values else {})


def _of_snapshot(row: Mapping[str, Any], values: set[float | str], others: int) -> dict[str, Any]:
    """The cells of a snapshot's profile that hold many values: quantiles, and the rows of each value."""
    made: dict[str, Any] = {}
    is_of_few = others < _FEWEST or row["rows"] - row["missing"] < _FEWEST
    if row["quantiles"]:
        grid = json.loads(row["quantiles"])
        # The ends are one row's value each; within lie the places of many.
        inner = [grid[1] if grid[0] in values else grid[0], *grid[1:-1], grid[-2] if grid[-1] in values else grid[-1]]
        made["quantiles"] = None if is_of_few or len(grid) < 3 else json.dumps(inner)
    if row["value_rows"]:
        counted = json.loads(row["value_rows"])
        few = {v for v, rows in counted.items() if v in values and (others < _FEWEST or rows < _FEWEST)}
        made["value_rows"] = json.dumps({v: rows for v, rows in counted.items() if v not in few}, sort_keys=True)
    return made


def _telling(row: Mapping[str, Any], values: set[float | str], others: int) -> Iterator[str]:
    """The cells of a profile's row that tell of customers who had these values among those of some others."""
    if not values:
        return
    yield from (name for name in _ENDS if row.get(name) in values)
    is_of_few = others < _FEWEST or row["rows"] - (row.get("missing") or 0) < _FEWEST
    yield from (name for name in _FIGURES if is_of_few and row.get(name) is not None)
    for name, rows in _VALUES.items():
        if row.get(name) in values and (others < _FEWEST or row[rows] < _FEWEST):
            yield name


def _models(work: Work, customers: Sought) -> tuple[str, ...]:
    """The models that were trained or chosen on rows of the customers."""
    newest = work.lake.find("training_set", verified=False)
    if newest is None or work.lake.find("models", verified=False) is None:
        return ()
    seen = set()
    for number in range(newest.version + 1):
        version = work.lake.find("training_set", number, verified=False)
        for file in version.files if version else ():
            rows = read_whole(file) if file.is_file() else pa.table({})
            mask = customers.rows(rows)
            if version and mask is not None:
                splits = set(rows.filter(mask)["split"].to_pylist())
                seen |= {version.fingerprint} if splits - {"embargo", "test"} else set()
    models = work.lake.read("models", columns=["model_version", "inputs"]).to_pylist()
    return tuple(sorted({m["model_version"] for m in models if json.loads(m["inputs"]).get("training_set") in seen}))


def _files(work: Work, customers: Sought, *, is_dry: bool) -> Iterator[Changed]:
    """Rewrite or remove the files beside the tables that hold the customers, or might; name each that did."""
    lake = work.lake.folder
    for file in files_below(lake / "landing", "*"):
        yield _removed(work, file, is_dry=is_dry)
    for file in files_below(lake / DAMAGED, "*"):
        yield _removed(work, file, is_dry=is_dry)
    for file in (*files_below(lake / "logs", "*"), *files_below(lake / "lineage", "*"), lake / "_pending_runs.json"):
        if file.is_file() and customers.in_file(file):
            text = file.read_bytes().decode("utf-8", errors="surrogateescape")
            yield _edited(work, file, customers.text_without(text), is_dry=is_dry)
    for file in files_below(work.output, "*") if not is_below(work.output, lake) else ():
        way = str(below(file, work.output))
        if way.startswith(_OF_ROWS):
            yield _removed(work, file, is_dry=is_dry)
        elif _is_traced(customers, file):
            yield from _of_output(work, customers, file, is_dry=is_dry)


def _of_output(work: Work, customers: Sought, file: Location, *, is_dry: bool) -> Iterator[Changed]:
    """Rewrite a list of the output, or remove a page; what is no file of Tenure's kinds is left to the proof."""
    if file.suffix == ".csv":
        text = file.read_bytes().decode("utf-8", errors="surrogateescape")
        yield _edited(work, file, customers.csv_without(text), is_dry=is_dry)
    elif file.suffix == ".parquet" and isinstance(file, Path):
        kept = customers.without(read_whole(file))
        if not is_dry and kept is not None:
            incoming = file.with_name(f".{file.name}.incoming")
            write_file(kept, incoming)
            incoming.replace(file)
        yield Changed(_named(work, file), "rewritten")
    elif file.suffix in (".html", ".htm"):
        yield _removed(work, file, is_dry=is_dry)


def _removed(work: Work, file: Location, *, is_dry: bool) -> Changed:
    if not is_dry:
        file.unlink(missing_ok=True)
    return Changed(_named(work, file), "removed")


def _edited(work: Work, file: Location, text: str, *, is_dry: bool) -> Changed:
    if not is_dry:
        write_whole(file, text.encode("utf-8", errors="surrogateescape"))
    return Changed(_named(work, file), "rewritten")


def _named(work: Work, file: Location) -> str:
    folder = work.lake.folder if is_below(file, work.lake.folder) else work.output
    return f"{folder.name}/{below(file, folder)}"


def _is_traced(customers: Sought, file: Location) -> bool:
    """Whether a file tells of the customers, or can't be read so that nobody knows."""
    try:
        return customers.in_file(file)
    except (pa.ArrowException, OSError, ValueError):
        return True


def _prove(work: Work, customers: Sought) -> int:
    """Search every file of the lake and the output; return how many. Raises StoreError, naming those with a trace."""
    files = _all_files(work)
    traced = traces(work, customers)
    if traced:
        many = "1 file tells" if len(traced) == 1 else f"{len(traced):,} files tell"
        raise StoreError(
            f"not forgotten wholly: {many} of the customer still, or can't be read, such as '{traced[0]}'. Staging "
            "refuses the customer already.",
            hint="Remove what is no file of Tenure's, then run the same 'tenure forget' again: it goes on.",
        )
    return len(files)


def traces(work: Work, customers: Sought) -> list[str]:
    """Return the files of the lake and the output that tell of the customers, each decoded, or that can't be read."""
    return [_named(work, file) for file in _all_files(work) if _is_traced(customers, file)]


def _all_files(work: Work) -> list[Location]:
    return list(dict.fromkeys([*files_below(work.lake.folder, "*"), *files_below(work.output, "*")]))
