"""Runs that die at defined points, never by the clock: the same places on an idle machine and on a busy one.

A point is a change that Tenure is about to make under a folder (a file opened for writing, renamed or removed), or the
begin or the end of a call that writes in native code. The points of an undisturbed run are counted; another run is
then killed at one of them. Within native code the kernel kills: at the first file that grows beyond a size.

    with Runs() as runs:
        points = runs(folder).points["features"]
        assert runs(folder, stage="features", point=3).signal == signal.SIGKILL
"""

from __future__ import annotations

import functools
import itertools
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink", "shutil.rmtree"}
_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class Ended:
    """How a run ended: the signal that killed it (0: none), the exit code, and the points that each stage passed."""

    signal: int
    exit_code: int
    points: dict[str, int] = field(default_factory=dict)


class Runs:
    """A process that has loaded all libraries, and forks a child for each run."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stdin.close()
        assert self.process.wait() == 0
        self.process.stdout.close()

    def __call__(self, folder: Path, verb: str = "run", **killed: Any) -> Ended:
        """Run `verb` of the project in `folder`; undisturbed, or killed in one of three ways.

        verb: 'run', 'backfill', or 'forget' with the `keys`, which is one stage of that name.
        first: the first stage to run, for those before it have ended; staging is the first by default.
        route: through that one of the routes of features, by the name of its class.
        stage, point: at that point of the stage (1 is the first), or right after its last one if it has fewer.
        before_commit: right before that table is committed.
        file_size: by the kernel, when a file would grow beyond so many bytes; what was written until then stays.
        """
        asked = {"folder": str(folder), "verb": verb, **killed}
        print(json.dumps(asked), file=self.process.stdin, flush=True)
        return Ended(**json.loads(self.process.stdout.readline()))


class _Points:
    """Counts the points of a run, stage by stage, and kills the process at the one that is asked for."""

    def __init__(self, folder: Path, stages: list[str], at: tuple[str, int] | None) -> None:
        self.folder, self.stages, self.at = os.path.realpath(folder), stages, at
        self.passed: dict[str, int] = {}
        self.numbers = itertools.count(1)

    def next_stage(self) -> None:
        """Begin with the next stage; whoever was to die in this one dies now at the latest."""
        stage = self.stages.pop(0)
        if self.at and self.at[0] == stage:
            die()
        self.passed[stage] = next(self.numbers) - 1
        self.numbers = itertools.count(1)

    def point(self) -> None:
        number = next(self.numbers)  # atomic: files are written by several threads
        if self.at and self.stages and self.at == (self.stages[0], number):
            die()

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and arguments[2] & _TO_WRITE
        if (writes or event in _CHANGES) and isinstance(arguments[0], str | bytes | os.PathLike):
            place = os.path.abspath(os.fsdecode(arguments[0]))  # noqa: PTH100  (links stay)
            if place.startswith(self.folder + os.sep):
                self.point()

    def around(self, place: Any, name: str) -> None:
        """Let a call that writes in native code begin and end with a point."""
        call = getattr(place, name)

        @functools.wraps(call)
        def counted(*arguments: Any, **named: Any) -> Any:
            self.point()
            result = call(*arguments, **named)
            self.point()
            return result

        setattr(place, name, counted)


def die() -> None:
    """End as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def _child(asked: dict[str, Any]) -> dict[str, int]:
    """Run what is asked and return the points of each stage."""
    import deltalake
    import pyarrow.parquet

    import tenure.store.lake
    from tenure.catalog.forgetting import forget
    from tenure.define.stage import STAGES
    from tenure.engines.duckdb import DuckDBEngine
    from tenure.feature_store import routes
    from tenure.session.work import Work
    from tenure.stages.run import backfill, run, stages_between
    from tenure.store.lake import Lake

    folder, backfilled = Path(asked["folder"]), asked["verb"] == "backfill"
    first, last = asked.get("first", "staging"), "features" if backfilled else [*STAGES][-1]
    stages = list(stages_between(first, last))
    if asked["verb"] == "forget":
        stages = ["forget"]
    points = _Points(folder, stages, (asked["stage"], asked["point"]) if "stage" in asked else None)
    points.around(Lake, "commit")
    points.around(DuckDBEngine, "write")
    points.around(pyarrow.parquet, "write_table")
    points.around(deltalake.DeltaTable, "create_write_transaction")
    points.around(tenure.store.lake, "create_table_with_add_actions")
    sys.addaudithook(points.audit)
    if "route" in asked:
        routes.ROUTES["duckdb"] = routes.SqlRoute if asked["route"] == "SqlRoute" else routes.ArrayRoute
    if "before_commit" in asked:
        commit = Lake.commit

        def dying(lake: Lake, table: str, *rest: Any, **named: Any) -> Any:
            if table == asked["before_commit"]:
                die()
            return commit(lake, table, *rest, **named)

        Lake.commit = dying  # type: ignore[method-assign]
    if "file_size" in asked:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked["file_size"], resource.RLIM_INFINITY))
    with Work.open(folder) as work:
        if asked["verb"] == "forget":
            forget(work, asked["keys"])
            points.next_stage()
            return points.passed
        for _ in backfill(work) if backfilled and first == "staging" else run(work, tuple(stages)):
            points.next_stage()
    return points.passed


def _serve() -> None:
    """Fork a child for each line of stdin and print how it ended."""
    import lightgbm  # noqa: F401  (loaded once, not by each child)
    import optuna  # noqa: F401
    import pyarrow.dataset  # noqa: F401
    import sklearn.linear_model  # noqa: F401

    import tenure.catalog.forgetting
    import tenure.engines.duckdb
    import tenure.feature_store.build
    import tenure.insight.explain
    import tenure.insight.segment
    import tenure.model.evaluate
    import tenure.model.registry
    import tenure.model.score
    import tenure.model.train
    import tenure.model.value
    import tenure.publish.attrition_list
    import tenure.publish.report

    for line in sys.stdin:
        asked = json.loads(line)
        if asked["verb"] == "backfill":  # ranges of few customers, and of periods: steps to be killed between
            tenure.feature_store.build._SHARE_OF_MEMORY = 3e-6
            tenure.feature_store.build._MOST_ROWS = 100
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            os.close(ours)
            passed = _child(asked)
            os.write(theirs, json.dumps(passed).encode())
            os._exit(0)
        os.close(theirs)
        with os.fdopen(ours) as pipe:
            passed = json.loads(pipe.read() or "{}")
        status = os.waitpid(child, 0)[1]
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -killed
        sys.stdout.write(json.dumps({"signal": killed, "exit_code": code, "points": passed}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _serve()
