"""The AWS Glue job: the same stages, definitions and SQL as on a laptop, in Glue's own Spark session.

The job's script is two lines, `from tenure.glue import main; main()`; its parameters are those of `main`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.store.runs import StageRun


def main(arguments: Sequence[str] | None = None) -> list[StageRun]:
    """Run stages of a project in the running Spark session and return their records.

    Parameters: --project DIR, --data DIR, --from STAGE, --to STAGE; Glue's own ones are ignored. The first
    failing stage raises its error, which fails the job.
    """
    parser = argparse.ArgumentParser(prog="tenure.glue", allow_abbrev=False)
    parser.add_argument("--project", type=Path, required=True, help="the bank project's folder")
    parser.add_argument("--data", type=Path, default=None, help="folder of the raw files")
    parser.add_argument("--from", dest="first", default="staging", help="first stage")
    parser.add_argument("--to", dest="last", default="training_set", help="last stage")
    known, _ = parser.parse_known_args(sys.argv[1:] if arguments is None else list(arguments))

    from pyspark.sql import SparkSession

    from tenure.engines.base import EngineSettings
    from tenure.engines.spark import SparkEngine

    session = SparkSession.builder.getOrCreate()
    with Work.open(known.project, data=known.data, engine="spark") as work:
        work.use_engine(SparkEngine(EngineSettings(name="spark"), session))
        return list(run(work, stages_between(known.first, known.last)))
