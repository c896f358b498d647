"""Walks: the product's files that one thing goes through, in order, and how often its way climbs.

```
intake/staging.py ──► engines/duckdb.py ──► sql.py        down: as the layers of pyproject.toml have it
        ▲                    │
        └────── a climb ─────┘                             a file of a lower layer calls into one of a higher layer
```

`python benchmarks/walks.py staging` follows one raw CSV source of a small bank through the stage `staging`;
`python benchmarks/walks.py tiles` follows the writing of one partition of tiles in the stage `features`.

What is counted:

- Functions of `tenure/` alone, as `sys.setprofile` reports them on the thread that runs the stage. A call that goes
  through a library (a context manager, a callback) counts as made by the nearest function of `tenure/` below it.
- *followed*: of the source, the calls that are handed its raw table: an argument is the declaration (`Csv(…)`), or the
  object that reads it, alone or in a list or mapping. Of tiles, every call inside the function that writes them.
- *all*: every call of the walk, from the stage's first to its last: the lake, the checks and the messages too.
- A file is entered by a call into it from another file, and counts as a stay each time; going back by `return` is
  none. Files that only make such calls are counted too.
- A climb is a call from a file of a lower layer into one of a higher layer. Layers are the lines of the import contract
  'The house' in pyproject.toml; rooms on one line are level. Returns are no calls. A generator's
  body runs for whoever asks for its next item, often a lower layer, and the profile does not see who made it: its
  beginning enters its file and is no climb; its going on, by `next` or at the end of a `with`, is nothing.
- Since no lower layer imports a higher one, climbs are callbacks, and few. *ups* are what a reader of the code feels: a
  stay in a higher layer right after one in a lower layer, though control had come back there by `return`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from inspect import CO_GENERATOR
from itertools import groupby, pairwise
from opcode import opmap
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ROOT / "tenure"
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

#: CPython's RESUME tells in the lowest two bits of its argument whether a function begins (0) or goes on.
_RESUME, _GOES_ON = opmap["RESUME"], 0b11


def layers() -> dict[str, int]:
    """Return each room's height in the house, 0 for the lowest; rooms on one line of the contract are level."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    lines = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    rooms: dict[str, int] = {}
    for height, line in enumerate(reversed(lines)):
        for room in line.split("|"):
            rooms[room.strip(" ()")] = height
    return rooms


@dataclass
class Walk:
    """The files that a walk enters, in order, and its climbs as (from file, into file)."""

    stays: list[str] = field(default_factory=list)
    climbs: list[tuple[str, str]] = field(default_factory=list)
    callers: dict[str, None] = field(default_factory=dict)

    def note(self, caller: str, callee: str, heights: dict[str, int], *, resumable: bool) -> None:
        """Add one call; within a file nothing is entered. What is resumable may be called by whoever resumes it."""
        if caller:
            self.callers[caller] = None
        if not self.stays:
            self.stays.append(caller or callee)
        if callee == self.stays[-1] and caller in ("", callee):
            return
        if caller != callee:
            self.stays.append(callee)
            if caller and not resumable and heights[_room(caller)] < heights[_room(callee)]:
                self.climbs.append((caller, callee))

    @property
    def files(self) -> list[str]:
        """Each file once: those that are entered, in order, and those that only call."""
        return list(dict.fromkeys([*self.stays, *self.callers]))

    def ups(self, heights: dict[str, int]) -> int:
        """Return how often a stay follows one in a lower layer."""
        return sum(heights[_room(one)] < heights[_room(next_)] for one, next_ in pairwise(self.stays))


def _room(file: str) -> str:
    return file.split("/", maxsplit=1)[0].removesuffix(".py")


@dataclass
class Tracer:
    """Both walks of one run: of the calls that `follows` counts, and of all."""

    follows: Callable[[FrameType], bool]
    followed: Walk = field(default_factory=Walk)
    all: Walk = field(default_factory=Walk)
    heights: dict[str, int] = field(default_factory=layers)
    _names: dict[CodeType, str] = field(default_factory=dict)

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Note a call of a function of the product; everything else is passed over."""
        if event != "call":
            return
        callee = self._file(frame.f_code)
        if not callee or _resumed(frame):
            return
        caller = self._caller(frame)
        resumable = bool(frame.f_code.co_flags & CO_GENERATOR)
        self.all.note(caller, callee, self.heights, resumable=resumable)
        if self.follows(frame):
            self.followed.note(caller, callee, self.heights, resumable=resumable)

    def _caller(self, frame: FrameType) -> str:
        above = frame.f_back
        while above is not None:
            file = self._file(above.f_code)
            if file:
                return file
            above = above.f_back
        return ""

    def _file(self, code: CodeType) -> str:
        """A product file by its path below `tenure/`, '' for any other."""
        if code not in self._names:
            path = Path(code.co_filename)
            inside = path.is_relative_to(PRODUCT) and code.co_name != "<module>"
            self._names[code] = path.relative_to(PRODUCT).as_posix() if inside else ""
        return self._names[code]


def _resumed(frame: FrameType) -> bool:
    code, at = frame.f_code.co_code, frame.f_lasti
    return at >= 0 and code[at] == _RESUME and bool(code[at + 1] & _GOES_ON)


@contextmanager
def traced(tracer: Tracer) -> Iterator[None]:
    """Trace this thread's calls inside."""
    sys.setprofile(tracer)
    try:
        yield
    finally:
        sys.setprofile(None)


def _arguments(frame: FrameType) -> list[Any]:
    code = frame.f_code
    count = code.co_argcount + code.co_kwonlyargcount
    return [frame.f_locals[name] for name in code.co_varnames[:count] if name in frame.f_locals]


def _holds(value: object, wanted: Callable[[object], bool]) -> bool:
    if isinstance(value, dict):
        return any(_holds(one, wanted) for one in value.values())
    if isinstance(value, list | tuple):
        return any(_holds(one, wanted) for one in value)
    return wanted(value)


CLOSED = """\
from tenure import ChurnDefinition, Closure

churn = ChurnDefinition("closed", event=Closure(), horizon=30, min_tenure=30)
"""


def walk_staging(folder: Path) -> Tracer:
    """Stage a bank of one CSV source."""
    from tiny_bank import FEATURES, SOURCES, write_tiny_bank

    from tenure.define.raw_tables import Csv
    from tenure.intake.staging import staging
    from tenure.session.work import Work

    bank = write_tiny_bank(folder / "bank")
    (bank / "sources.py").write_text(SOURCES.partition("payments = ")[0])
    (bank / "features" / "paid.py").write_text(FEATURES.partition("paid = ")[0])
    (bank / "churn.py").write_text(CLOSED)
    work = Work.open(bank)

    def of_raw_table(value: object) -> bool:
        return type(value) is Csv or type(value).__module__.startswith("tenure.intake.readers")

    tracer = Tracer(lambda frame: any(_holds(value, of_raw_table) for value in _arguments(frame)))
    with work:
        work.engine  # noqa: B018  (started before the walk begins)
        with traced(tracer):
            staging(work)
    return tracer


def walk_tiles(folder: Path) -> Tracer:
    """Build the features of one snapshot, and follow the function that writes its tiles."""
    from tiny_bank import write_tiny_bank

    from tenure.session.work import Work
    from tenure.stages.run import run, stages_between

    day = date(2024, 1, 31)
    overrides: dict[str, dict[str, object]] = {
        "verify": {"customers": 0},
        "snapshots": {"first": day, "last": day},
    }
    work = Work.open(write_tiny_bank(folder / "bank"), overrides=overrides)

    def in_tiles(frame: FrameType) -> bool:
        above = frame.f_back
        while above is not None:
            if above.f_code.co_name in WRITERS_OF_TILES:
                return True
            above = above.f_back
        return False

    tracer = Tracer(in_tiles)
    with work:
        for _ in run(work, stages_between("staging", "snapshots")):
            pass
        with traced(tracer):
            for _ in run(work, stages_between("features", "features")):
                pass
    return tracer


#: The functions that write one source's tiles, as the product calls them.
WRITERS_OF_TILES = frozenset({"write_tiles"})

WALKS = {"staging": walk_staging, "tiles": walk_tiles}


def main() -> None:
    """Print a walk as one JSON object: its files, stays and climbs, followed and in all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("walk", choices=sorted(WALKS))
    with tempfile.TemporaryDirectory() as folder:
        chosen = parser.parse_args().walk
        tracer = WALKS[chosen](Path(folder))
    for name, walk in (("followed", tracer.followed), ("all", tracer.all)):
        counts = {"stays": len(walk.stays), "files": len(walk.files), "climbs": len(walk.climbs)}
        counts["ups"] = walk.ups(tracer.heights)
        print(json.dumps({"walk": chosen, "calls": name, **counts}))
        print("   files: ", " → ".join(walk.files))
        if name == "followed":
            print("   stays: ", " → ".join(stay for stay, _ in groupby(walk.stays)))
        for caller, callee in walk.climbs:
            print("   climb: ", caller, "→", callee)


if __name__ == "__main__":
    main()
