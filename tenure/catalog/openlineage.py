"""OpenLineage: the events of a stage's run as the specification 2-0-2 has them, of what is known of it; no I/O.

START, when the stage began ──┬── COMPLETE, with the datasets that it read and wrote
  one runId for both          ├── FAIL, with the class of the error
                              └── ABORT, where it was stopped

https://openlineage.io/spec/2-0-2/OpenLineage.json, and a schema of its own for each facet.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

from tenure.define.stage import STAGES
from tenure.storage.location import Location
from tenure.storage.s3 import S3Location
from tenure.store.runs import StageRun
from tenure.version import __version__

PRODUCER = f"urn:tenure:{__version__}"

_SPEC = "https://openlineage.io/spec"
_EVENT_SCHEMA = f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent"

#: The facets that are written: the version and the name of each one's schema.
_FACETS = {
    "columnLineage": ("1-2-0", "ColumnLineageDatasetFacet"),
    "dataQualityAssertions": ("1-0-1", "DataQualityAssertionsDatasetFacet"),
    "dataQualityMetrics": ("1-0-2", "DataQualityMetricsInputDatasetFacet"),
    "errorMessage": ("1-0-1", "ErrorMessageRunFacet"),
    "jobType": ("2-0-3", "JobTypeJobFacet"),
    "nominalTime": ("1-0-1", "NominalTimeRunFacet"),
    "outputStatistics": ("1-0-2", "OutputStatisticsOutputDatasetFacet"),
    "processing_engine": ("1-1-1", "ProcessingEngineRunFacet"),
    "schema": ("1-1-1", "SchemaDatasetFacet"),
    "version": ("1-0-1", "DatasetVersionDatasetFacet"),
}
_DOCUMENTED = {"job": ("1-0-1", "DocumentationJobFacet"), "dataset": ("1-0-1", "DocumentationDatasetFacet")}

#: The event that ends a run, by the status of the stage.
_ENDS = {"built": "COMPLETE", "failed": "FAIL", "interrupted": "ABORT"}


class DatasetName(NamedTuple):
    """A dataset as OpenLineage calls it: the place that holds it, and its name there."""

    namespace: str
    name: str


class InputField(NamedTuple):
    """A column that a column is made from, and how: the type and the subtype of the transformation."""

    dataset: DatasetName
    column: str
    type: str
    subtype: str


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """What is known of a dataset that a stage read or wrote; what is not known is left out of the events.

    `columns` are name, type and meaning; `not_null` those that a check found without a null; `checks` what was checked
    of the rows, each with the column that it is about ('' for all) and whether it held.
    """

    place: DatasetName
    version: int | None = None
    meaning: str = ""
    columns: Sequence[tuple[str, str, str]] = ()
    lineage: Mapping[str, Sequence[InputField]] = field(default_factory=dict)
    rows: int | None = None
    size: int | None = None
    files: int | None = None
    not_null: Sequence[str] = ()
    checks: Sequence[tuple[str, str, bool]] = ()


def dataset_name(place: Location) -> DatasetName:
    """Return how OpenLineage names a folder or file: `file` and its path, or `s3://bucket` and its key."""
    if isinstance(place, S3Location):
        return DatasetName(f"s3://{place.bucket}", place.key)
    return DatasetName("file", Path(place).absolute().as_posix())


def run_events(
    record: StageRun,
    namespace: str,
    engine: str,
    inputs: Iterable[Dataset] = (),
    outputs: Iterable[Dataset] = (),
    *,
    snapshot: date | None = None,
    failure: str = "",
) -> list[dict[str, Any]]:
    """Return the two events of a stage that was built, failed or was interrupted; none of one that was current.

    `engine` is its name and version, '' where none was started; `snapshot` the newest one that the stage wrote;
    `failure` the class of the error that ended it. The error's own message is not there: it may show an example of a
    bad value, and a catalog is read by more people than a lake.
    """
    if record.status not in _ENDS:
        return []
    run_id, facets = _run_id(record, namespace), _run_facets(record, engine, snapshot, failure)
    at_start = {name: facet for name, facet in facets.items() if name != "errorMessage"}
    job = {"namespace": namespace, "name": record.stage, "facets": _job_facets(record.stage)}
    ended_at = record.started_at + timedelta(seconds=record.seconds)
    common = {"job": job, "producer": PRODUCER, "schemaURL": _EVENT_SCHEMA}
    return [
        {
            "eventType": "START",
            "eventTime": record.started_at.isoformat(),
            "run": {"runId": run_id, "facets": at_start},
            **common,
        },
        {
            "eventType": _ENDS[record.status],
            "eventTime": ended_at.isoformat(),
            "run": {"runId": run_id, "facets": facets},
            **common,
            "inputs": [_input(one) for one in inputs],
            "outputs": [_output(one) for one in outputs],
        },
    ]


def _run_id(record: StageRun, namespace: str) -> str:
    """The same UUID for both events of a stage's run, and for no other's."""
    parts = (namespace, record.run_id, record.stage, record.started_at.isoformat())
    return str(uuid5(NAMESPACE_URL, "tenure:" + "/".join(parts)))


def _run_facets(record: StageRun, engine: str, snapshot: date | None, failure: str) -> dict[str, Any]:
    found = {}
    if engine:
        name, _, version = engine.partition(" ")
        found["processing_engine"] = _facet(
            "processing_engine", name=name, version=version, openlineageAdapterVersion=__version__
        )
    if snapshot is not None:
        found["nominalTime"] = _facet("nominalTime", nominalStartTime=f"{snapshot.isoformat()}T00:00:00Z")
    if record.status == "failed":
        where = f"the message is in the lake's ledger, run {record.run_id}: tenure status"
        message = f"{failure or 'an error'} in stage '{record.stage}'; {where}"
        found["errorMessage"] = _facet("errorMessage", message=message, programmingLanguage="PYTHON")
    return found


def _job_facets(stage: str) -> dict[str, Any]:
    return {
        "jobType": _facet("jobType", processingType="BATCH", integration="TENURE", jobType="STAGE"),
        "documentation": _described("job", STAGES[stage].words),
    }


def _input(dataset: Dataset) -> dict[str, Any]:
    metrics = {"rowCount": dataset.rows, "bytes": dataset.size, "fileCount": dataset.files}
    known = {name: number for name, number in metrics.items() if number is not None}
    facets: dict[str, Any] = {}
    if known or dataset.not_null:
        columns = {name: {"nullCount": 0} for name in dataset.not_null}
        facets["dataQualityMetrics"] = _facet("dataQualityMetrics", **known, columnMetrics=columns)
    if dataset.checks:
        assertions = [
            {"assertion": name, "success": held, **({"column": column} if column else {})}
            for name, column, held in dataset.checks
        ]
        facets["dataQualityAssertions"] = _facet("dataQualityAssertions", assertions=assertions)
    return {**dataset.place._asdict(), "facets": _dataset_facets(dataset), "inputFacets": facets}


def _output(dataset: Dataset) -> dict[str, Any]:
    written = _facet("outputStatistics", rowCount=dataset.rows, size=dataset.size, fileCount=dataset.files)
    return {
        **dataset.place._asdict(),
        "facets": _dataset_facets(dataset),
        "outputFacets": {"outputStatistics": written},
    }


def _dataset_facets(dataset: Dataset) -> dict[str, Any]:
    found = {}
    if dataset.version is not None:
        found["version"] = _facet("version", datasetVersion=str(dataset.version))
    if dataset.meaning:
        found["documentation"] = _described("dataset", dataset.meaning)
    if dataset.columns:
        found["schema"] = _facet("schema", fields=[_field(*column) for column in dataset.columns])
    if dataset.lineage:
        fields = {name: {"inputFields": _input_fields(read)} for name, read in dataset.lineage.items()}
        found["columnLineage"] = _facet("columnLineage", fields=fields)
    return found


def _field(name: str, type_: str, meaning: str) -> dict[str, str]:
    said = {"name": name, "type": type_, "description": meaning}
    return {key: text for key, text in said.items() if text}


def _input_fields(read: Iterable[InputField]) -> list[dict[str, Any]]:
    """Each column that is read once, with every way in which it is."""
    found: dict[tuple[DatasetName, str], list[dict[str, str]]] = {}
    for one in dict.fromkeys(read):
        found.setdefault((one.dataset, one.column), []).append({"type": one.type, "subtype": one.subtype})
    return [{**dataset._asdict(), "field": column, "transformations": how} for (dataset, column), how in found.items()]


def _facet(kind: str, **content: Any) -> dict[str, Any]:
    return _with_schema(*_FACETS[kind], content)


def _described(what: str, text: str) -> dict[str, Any]:
    return _with_schema(*_DOCUMENTED[what], {"description": text})


def _with_schema(version: str, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": f"{_SPEC}/facets/{version}/{name}.json#/$defs/{name}", **content}
