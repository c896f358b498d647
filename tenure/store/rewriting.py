"""Rewriting of a table's history: data files change, and every version still stands under its number.

```
before   version 0: a           version 1: a, b         version 2: b, c
forget   rows of one customer lie in a and b: a' and b' are written without them
after    version 0: a'          version 1: a', b'       version 2: b', c       version 3: b', c, of kind 'forget'
```
The log of each version names the new files, with new statistics; the old ones are removed. What is to be done is noted
before the first log changes, so that a run after a kill ends it, and a log counts as whole by its old digest or its new
one until then. Between two logs every version is what it was or what it is to be, never a mix with a row twice:

```
version      3          2             1          logs change from the newest to the oldest, and where a file was
             −a, −a'    −a, −a'       +a'        removed its new one is removed beside it: whichever of both an older
             first ───────────────► last         log adds, later versions are rid of it
```
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.storage.location import Location, below, entries, for_arrow, write_whole
from tenure.store.delta_log import LOGS
from tenure.store.digests import read_own, write_own
from tenure.store.lake import Lake
from tenure.store.log_digests import REWRITING
from tenure.store.rows import write_file
from tenure.store.table import FileFacts

#: What a data file's rows become: the rows as they are to be, or None where they stay.
Change = Callable[[pa.Table], pa.Table | None]

#: The hint where the newest checkpoint is: Delta lists the folder where there is none.
_HINT = "_last_checkpoint"


@dataclass(frozen=True)
class Rewritten:
    """What was rewritten of a table: how many of its files, and how many rows went, counted once a file."""

    table: str
    files: int = 0
    rows: int = 0


@dataclass
class _Files:
    """The files of a table that are rewritten: the way of each old one, in the table's folder, with the new one's."""

    new: dict[str, str] = field(default_factory=dict)
    rows: int = 0


def affected(lake: Lake, table: str, change: Change) -> Rewritten:
    """Return what `rewrite` would do; nothing is written."""
    files = rows = 0
    for file in _kept_files(lake, table):
        before = read_whole(file)
        after = change(before)
        if after is not None:
            files += 1
            rows += before.num_rows - after.num_rows
    return Rewritten(table, files, rows)


def rewrite(lake: Lake, table: str, change: Change) -> Rewritten:
    """Write the files of every kept version anew that `change` changes, and commit it as of kind 'forget'.

    Hold the lake's lock. What an interrupted run of this began is ended first.
    """
    finish(lake, table)
    lake.sweep(table)
    found = _written(lake, table, change)
    if found.new:
        folder = lake.path(table)
        logs = {name: sha256(content).hexdigest() for name, content in _logs(lake, table, found.new)}
        write_own(folder / REWRITING, {"files": found.new, "logs": logs})
        finish(lake, table)
    return Rewritten(table, len(found.new), found.rows)


def finish(lake: Lake, table: str) -> None:
    """End a rewriting that was begun: put its logs in place, note their digests, remove the old files, commit it."""
    folder = lake.path(table)
    noted = read_own(folder / REWRITING)
    if noted is None:
        return
    files: dict[str, str] = dict(noted["files"])  # type: ignore[call-overload]
    for name, content in _logs(lake, table, files):
        write_whole(folder / LOGS / name, content)
    (folder / LOGS / _HINT).unlink(missing_ok=True)
    lake.log(table).seal_rewritten()
    for old in files:
        (folder / old).unlink(missing_ok=True)
        lake.digests.forget(folder / old)
    lake.forget_newest(table)
    lake.commit_of_kind(table, "forget")
    (folder / REWRITING).unlink(missing_ok=True)


def read_whole(file: Location) -> pa.Table:
    """Return the rows of a Parquet file as they are in it."""
    return pq.ParquetFile(for_arrow(file)).read()


def _kept_files(lake: Lake, table: str) -> list[Location]:
    """The data files in a table's folder, named by whatever version."""
    return [file for file in lake.data_files(table) if file.is_file()]


def _written(lake: Lake, table: str, change: Change) -> _Files:
    """Write the files that change, sealed and named by no version yet."""
    found, token = _Files(), ""
    folder, local = lake.path(table), lake.writing_folder(table)
    for number, file in enumerate(_kept_files(lake, table)):
        before = read_whole(file)
        after = change(before)
        if after is None:
            continue
        token = token or lake.begin_write(table)
        way = below(file, folder)
        target = local / way.parent / f"part-{token}-{number}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        (sealed,) = lake.sealed_files(table, [write_file(after, target)])
        found.new[str(way)] = str(below(sealed, folder))
        found.rows += before.num_rows - after.num_rows
    return found


def _logs(lake: Lake, table: str, files: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Yield the table's commits and checkpoints, the newest first, as they are once they name the new files."""
    folder = lake.path(table)
    facts = _Facts(folder, files)
    for log in reversed(entries(folder / LOGS)):
        if log.name.startswith("."):
            continue
        if log.suffix == ".json":
            yield log.name, _commit(log.read_bytes(), facts)
        elif log.suffix == ".parquet":
            yield log.name, _checkpoint(log, facts)


class _Facts:
    """What the log is to tell of each new file, in place of an old one."""

    def __init__(self, folder: Location, files: Mapping[str, str]) -> None:
        self._folder, self._files = folder, files
        self._known: dict[tuple[str, tuple[str, ...]], FileFacts] = {}

    def replace(self, action: dict[str, Any]) -> bool:
        """Let an action on an old file be one on the new; return whether it is on one."""
        path = str(action["path"])
        new = self._files.get(unquote(path))
        if new is None:
            return False
        head, slash, _ = path.rpartition("/")
        action["path"] = f"{head}{slash}{new.rpartition('/')[2]}"
        facts = self._of(new, _indexed(action))
        for name, value in {
            "size": facts.size,
            "modificationTime": int(facts.written_at * 1000),
            "stats": facts.stats,
        }.items():
            if action.get(name) is not None:
                action[name] = value
        # Another client may have told the statistics once more, as columns; they are told by `stats` alone now.
        for name in ("stats_parsed",):
            if name in action:
                action[name] = None
        return True

    def _of(self, new: str, indexed: tuple[str, ...]) -> FileFacts:
        if (new, indexed) not in self._known:
            self._known[new, indexed] = FileFacts.of(self._folder / new, indexed)
        return self._known[new, indexed]


def _indexed(action: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns whose range the log told of a file."""
    stats = json.loads(action.get("stats") or "{}")
    return tuple(stats.get("minValues") or ())


def _commit(content: bytes, facts: _Facts) -> bytes:
    """A commit's actions, a line each; lines that say nothing of an old file stay to the byte."""
    lines = content.split(b"\n")
    actions = [json.loads(line) if line.strip() else {} for line in lines]
    removed = {str(action["remove"]["path"]) for action in actions if action.get("remove")}
    made = []
    for line, action in zip(lines, actions, strict=True):
        if action.get("add") and facts.replace(action["add"]):
            made.append(_line(action))
        elif action.get("remove") and facts.replace(action["remove"]) and action["remove"]["path"] not in removed:
            made += [line, _line(action)]
        else:
            made.append(line)
    return b"\n".join(made)


def _line(action: Mapping[str, Any]) -> bytes:
    return json.dumps(action, separators=(",", ":")).encode()


def _checkpoint(log: Location, facts: _Facts) -> bytes:
    """A checkpoint, whose rows are the actions that still count."""
    rows = read_whole(log)
    actions = rows.to_pylist()
    changed = [facts.replace(row["add"]) for row in actions if row.get("add")]
    if not any(changed):
        return log.read_bytes()
    made = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(actions, schema=rows.schema), made)
    return made.getvalue()
