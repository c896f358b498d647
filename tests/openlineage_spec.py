"""What OpenLineage 2-0-2 and its facets require of an event, written down from their specification as JSON Schema.

Stricter in one thing: a field that the specification does not name is refused, so that a misspelled one is found.
"""

import re
from datetime import datetime
from uuid import UUID

from jsonschema import Draft202012Validator

TEXT, WHOLE, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}


def closed(required, **optional):
    """An object with some keys required, others allowed, and none else."""
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional},
        "additionalProperties": False,
    }


def each(items):
    return {"type": "array", "items": items}


def one_of(*words):
    return {"enum": list(words)}


def by_name(values):
    return {"type": "object", "additionalProperties": values}


TRANSFORMATION = closed(
    {"type": one_of("DIRECT", "INDIRECT")},
    subtype=one_of(
        *("IDENTITY", "TRANSFORMATION", "AGGREGATION"),
        *("JOIN", "GROUP_BY", "FILTER", "SORT", "WINDOW", "CONDITIONAL"),
    ),
)
INPUT_FIELD = closed({"namespace": TEXT, "name": TEXT, "field": TEXT}, transformations=each(TRANSFORMATION))
MADE_FROM = closed({"inputFields": each(INPUT_FIELD)})
FIELD = closed({"name": TEXT}, type=TEXT, description=TEXT)
ASSERTION = closed({"assertion": TEXT, "success": FLAG}, column=TEXT)

#: What each facet has to hold, and what it may hold beside that.
CONTENT = {
    "processing_engine": ({"version": TEXT}, {"name": TEXT, "openlineageAdapterVersion": TEXT}),
    "nominalTime": ({"nominalStartTime": TEXT}, {"nominalEndTime": TEXT}),
    "errorMessage": ({"message": TEXT, "programmingLanguage": TEXT}, {}),
    "jobType": ({"processingType": one_of("BATCH", "STREAMING"), "integration": TEXT}, {"jobType": TEXT}),
    "job documentation": ({"description": TEXT}, {}),
    "dataset documentation": ({"description": TEXT}, {}),
    "version": ({"datasetVersion": TEXT}, {}),
    "schema": ({}, {"fields": each(FIELD)}),
    "columnLineage": ({"fields": by_name(MADE_FROM)}, {}),
    "dataQualityMetrics": (
        {"columnMetrics": by_name(closed({}, nullCount=WHOLE))},
        {"rowCount": WHOLE, "bytes": WHOLE, "fileCount": WHOLE},
    ),
    "dataQualityAssertions": ({"assertions": each(ASSERTION)}, {}),
    "outputStatistics": ({"rowCount": WHOLE}, {"size": WHOLE, "fileCount": WHOLE}),
}

#: The schema of each facet, and the version of it.
SCHEMAS = {
    "processing_engine": "1-1-1/ProcessingEngineRunFacet",
    "nominalTime": "1-0-1/NominalTimeRunFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
    "jobType": "2-0-3/JobTypeJobFacet",
    "job documentation": "1-0-1/DocumentationJobFacet",
    "dataset documentation": "1-0-1/DocumentationDatasetFacet",
    "version": "1-0-1/DatasetVersionDatasetFacet",
    "schema": "1-1-1/SchemaDatasetFacet",
    "columnLineage": "1-2-0/ColumnLineageDatasetFacet",
    "dataQualityMetrics": "1-0-2/DataQualityMetricsInputDatasetFacet",
    "dataQualityAssertions": "1-0-1/DataQualityAssertionsDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
}


def facets(*names, **renamed):
    """An object of facets by name, each with who wrote it and the address of its schema."""
    found = {}
    for name, known_as in {**dict(zip(names, names, strict=True)), **renamed}.items():
        required, optional = CONTENT[known_as]
        schema = SCHEMAS[known_as]
        address = f"https://openlineage.io/spec/facets/{schema}.json#/$defs/{schema.partition('/')[2]}"
        found[name] = closed({"_producer": TEXT, "_schemaURL": {"const": address}, **required}, **optional)
    return closed({}, **found)


DATASET = {
    "namespace": TEXT,
    "name": TEXT,
    "facets": facets("version", "schema", "columnLineage", documentation="dataset documentation"),
}

EVENT = closed(
    {
        "eventTime": TEXT,
        "producer": TEXT,
        "schemaURL": {"const": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"},
        "run": closed({"runId": TEXT}, facets=facets("processing_engine", "nominalTime", "errorMessage")),
        "job": closed({"namespace": TEXT, "name": TEXT}, facets=facets("jobType", documentation="job documentation")),
    },
    eventType=one_of("START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"),
    inputs=each(closed(DATASET, inputFacets=facets("dataQualityMetrics", "dataQualityAssertions"))),
    outputs=each(closed(DATASET, outputFacets=facets("outputStatistics"))),
)

_VALIDATOR = Draft202012Validator(EVENT)

#: A URI has a scheme, and no blank.
_URI = re.compile(r"[a-z][a-z0-9+.-]*:\S+")


def require_valid(event):
    """Raise unless an event is as the specification has it."""
    _VALIDATOR.validate(event)
    assert str(UUID(event["run"]["runId"])) == event["run"]["runId"]
    assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    assert _URI.fullmatch(event["producer"])
    nominal = event["run"]["facets"].get("nominalTime", {}).get("nominalStartTime", event["eventTime"])
    assert datetime.fromisoformat(nominal).tzinfo is not None


def require_runs(events):
    """Raise unless events are pairs of a START and an end, each pair of a run of its own; return the ends."""
    begins, ends = events[::2], events[1::2]
    assert {event["eventType"] for event in begins} <= {"START"}
    assert {event["eventType"] for event in ends} <= {"COMPLETE", "FAIL", "ABORT"}
    for begin, end in zip(begins, ends, strict=True):
        assert begin["run"]["runId"] == end["run"]["runId"]
        assert begin["job"] == end["job"]
        assert datetime.fromisoformat(begin["eventTime"]) <= datetime.fromisoformat(end["eventTime"])
    assert len({event["run"]["runId"] for event in ends}) == len(ends)
    return ends
