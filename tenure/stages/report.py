"""The stage `report`: the attrition list and the HTML page, each file written whole or not at all."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import fields
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.catalog.models import newest_training, versions_of
from tenure.catalog.personal import personal_origins
from tenure.catalog.quality import quality
from tenure.catalog.reconciliations import reconciled
from tenure.define.personal import personal_keys, published_columns
from tenure.define.stage import STAGES
from tenure.intake.calendar import calendar
from tenure.publish.csv_files import write_csv
from tenure.publish.quality import Quality
from tenure.session.fingerprints import fingerprint
from tenure.session.work import Outcome, Work
from tenure.sql import midnight_literal
from tenure.sql.expressions import at_least, at_most, call, cast, each_of, grouped, of
from tenure.sql.query import Query
from tenure.stages.inputs import fingerprints, require_report_inputs
from tenure.stages.quality_page import PAGE, write_quality_page
from tenure.stages.suppression import objected
from tenure.storage.location import Location, make_folder, write_whole
from tenure.store.runs import ledger
from tenure.tables.protected import attributes
from tenure.tables.published import published_then

if TYPE_CHECKING:
    import pandas as pd

LIST_CSV, LIST_PARQUET, REPORT = "attrition_list.csv", "attrition_list.parquet", "report.html"

#: Tables that only the part on data quality reads; it says so where one is missing.
_OF_QUALITY = ("completeness", "checks", "quality", "drift")

#: Tables that are there only where the churn definition has further horizons.
_OVER_HORIZONS = ("horizons", "horizon_scores")


def report(work: Work) -> Outcome:
    """Write attrition_list.csv, attrition_list.parquet, report.html and quality.html, and keep the list as a table.

    Raises MissingTable, naming the stage to run, if a table is not built yet, or was made of others than those stored
    now.
    """
    outcome = Outcome()
    read = STAGES["report"].relations(work.project.sources, work.project.made_by_name)
    left_out = _OF_QUALITY if work.churn.further else (*_OF_QUALITY, *_OVER_HORIZONS)
    inputs = fingerprints(work, [table for table in read if table not in left_out])
    newest = require_report_inputs(work)
    data = quality(work)
    digest = fingerprint([*inputs.values(), work.config.value, work.definitions, *_published(work), data])
    files = [work.output / name for name in (LIST_CSV, LIST_PARQUET, REPORT, PAGE)]
    if all(file.is_file() for file in files) and work.find_current(["attrition_list"], digest, outcome):
        return outcome
    rows = _attrition_list(work, newest)
    page = _page(work, rows, newest, data)
    listed = _typed(rows)
    listed_csv, note = _csv(listed, work.project.entity.keys)
    html = page.encode()
    for file, content in zip(files[:-1], (listed_csv, _parquet(listed), html), strict=True):
        _replace(file, content)
    write_quality_page(work, data)
    work.keep("attrition_list", listed, digest, outcome)
    closed = len(_of_today(work, "scores", newest)) - len(rows)
    since = f", {closed:,} left out who have closed since" if closed else ""
    summary = f"{len(rows):,} customers listed{since}; {REPORT} is {len(html) / 1e6:.1f} MB"
    outcome.message = "; ".join(filter(None, (summary, note)))
    return outcome


def _attrition_list(work: Work, newest: date) -> pd.DataFrame:
    """The attrition list: the champion's scores of the newest snapshot, with reasons and segments."""
    from tenure.publish.attrition_list import attrition_list

    scores = _of_today(work, "scores", newest)
    reasons = _of_today(work, "reasons", newest)
    segments = _of_today(work, "segments", newest)
    keys = work.project.entity.keys
    listed = attrition_list(scores, reasons, segments, keys, _closed_since(work, newest))
    if not published_columns(work.project):
        return listed
    select = published_then(work.project, newest)
    work.scan(select.reads)
    published = work.engine.run(select.text).to_pandas()
    return listed.merge(published, on=[*keys, "snapshot_date"], how="left", validate="one_to_one")


def _published(work: Work) -> list[str]:
    """The columns that are on the list because they are declared so, as 'source.column'."""
    return [f"{source.name}.{column.name}" for source, column in published_columns(work.project)]


def _closed_since(work: Work, newest: date) -> pd.DataFrame | None:
    """The keys of customers at the newest snapshot of whom the extract knows that they have closed since."""
    customers, keys = work.project.sources[work.project.entity.source], work.project.entity.keys
    if not customers.ends:
        return None
    work.scan([customers.name])
    ended = cast(of("c", customers.ends), "TIMESTAMP")
    last_known = call("GREATEST", "MAX(known_time)", midnight_literal(calendar(work).data_end))
    made = Query(
        distinct=True,
        columns=each_of("c", keys),
        source=customers.name,
        alias="c",
        where=[
            "c.known_until IS NULL",
            at_least(ended, midnight_literal(newest)),
            at_most(ended, grouped(Query(columns=[last_known], source=customers.name).on_one_line)),
        ],
    )
    return work.engine.run(made.text).to_pandas()


def _of_today(work: Work, table: str, newest: date) -> pd.DataFrame:
    """A table's rows; of a table partitioned by snapshot, those of the champion at the newest snapshot."""
    (version,) = versions_of(newest_training(work)[:1])
    today = {"snapshot_date": str(newest), "model_version": version}
    return work.read(table, where=today if work.contracts[table].partition_by else None).to_pandas()


def _page(work: Work, rows: pd.DataFrame, newest: date, data: Quality) -> str:
    from tenure.publish.report import Costs, ReportInput, report

    project = work.project
    frames: dict[str, Any] = {}
    for part in fields(ReportInput):
        if part.name in STAGES["report"].reads and (work.churn.further or part.name not in _OVER_HORIZONS):
            frames[part.name] = _of_today(work, part.name, newest)
    frames["models"] = frames["models"][frames["models"]["model_version"].isin(frames["evaluations"]["model_version"])]
    return report(
        ReportInput(
            project=project.name,
            entity=project.entity.name,
            keys=project.entity.keys,
            data_end=calendar(work).data_end,
            churn=work.churn,
            longest_window=max((w.most_days for w in project.windows), default=0),
            descriptions={str(name): text.text for name, text in project.columns.items()},
            personal=personal_origins(project, work.dialect, work.churn),
            personal_keys=personal_keys(project),
            protected=tuple(attributes(project).values()),
            costs=Costs(**work.config.value.model_dump()),
            attrition_list=rows,
            population=_population(work, max(rows["snapshot_date"])),
            latencies=_latencies(work),
            data_quality=data,
            ledgers=tuple(reconciled(work)),
            objected=objected(work),
            published=tuple(_published(work)),
            threshold_is_declared=work.config.evaluate.threshold is not None,
            flat=project.flat,
            **frames,
        )
    )


def _population(work: Work, last: date) -> pd.DataFrame:
    """A frame with a row a snapshot: its customers, those labelled, those who left, and the split it is used for."""
    customers = _per_snapshot(work.read("snapshots", ["snapshot_date"]), [([], "count_all")])
    labelled = _per_snapshot(work.read("labels", ["snapshot_date", "churned"]), [([], "count_all"), ("churned", "sum")])
    split = _per_snapshot(work.read("splits", ["snapshot_date", "split"]), [("split", "max")])
    found = customers.rename(columns={"count_all": "customers"})
    found = found.merge(labelled, on="snapshot_date", how="left").merge(split, on="snapshot_date", how="left")
    found = found.rename(columns={"count_all": "labelled", "churned_sum": "churners", "split_max": "split"})
    found["churn_rate"] = found["churners"] / found["labelled"]
    found["split"] = found["split"].fillna("unlabelled")
    return found[found["snapshot_date"] <= last].sort_values("snapshot_date").reset_index(drop=True)


def _per_snapshot(rows: pa.Table, counted: list[tuple[Any, str]]) -> pd.DataFrame:
    return rows.group_by("snapshot_date").aggregate(counted).to_pandas()


#: What stages do with a table without dates.
_FLAT_WORDS = {
    "snapshots": "Take the table's rows as one snapshot of a nominal day",
    "features": "Take the columns that are features",
    "labels": "Label who left",
    "splits": "Hold out customers as test, and part the others into folds",
    "evaluate": "Measure the models on the customers held out, not out of time",
    "score": "Score the customers who have not left",
}


def _latencies(work: Work) -> pd.DataFrame:
    """The newest run of each stage that built something, in the stages' order; the report itself is not done yet."""
    import pandas as pd

    newest: dict[str, dict[str, Any]] = {}
    is_flat = work.project.flat is not None
    for row in ledger(work.lake):
        stage = STAGES.get(str(row["stage"]))
        if stage and stage.name != "report" and row["status"] == "built":
            words = _FLAT_WORDS.get(stage.name, stage.words) if is_flat else stage.words
            newest[stage.name] = {**row, "doc": words}
    rows = [newest[name] for name in STAGES if name in newest]
    return pd.DataFrame(rows, columns=["stage", "doc", "rows", "seconds", "engine"])


def _typed(rows: pd.DataFrame) -> pa.Table:
    table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)
    return table.cast(pa.schema(map(_with_plain_text, table.schema)))


def _with_plain_text(column: pa.Field) -> pa.Field:
    """A column's field, with plain text for pandas' text and for a column that is null throughout."""
    return column.with_type(pa.string()) if column.type in (pa.null(), pa.large_string()) else column


def _csv(rows: pa.Table, keys: Sequence[str]) -> tuple[bytes, str]:
    """The list as CSV that is safe to open in a spreadsheet, and a note on its keys, '' for none."""
    sink = io.BytesIO()
    note = write_csv(rows, sink, keys=keys)
    return sink.getvalue(), note


def _parquet(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows, sink)
    return sink.getvalue()


def _replace(file: Location, content: bytes) -> None:
    """Replace a file in one step, so that no reader sees half of it."""
    make_folder(file.parent)
    write_whole(file, content)
