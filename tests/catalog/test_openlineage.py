"""OpenLineage: a stage's record becomes two events of one run, each as the specification has it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from jsonschema import ValidationError
from openlineage_spec import require_runs, require_valid

from tenure.catalog.openlineage import Dataset, DatasetName, InputField, dataset_name, run_events
from tenure.storage.s3 import S3Location
from tenure.store.runs import StageRun

RECORD = StageRun(
    run_id="20240731T101500-3f2a9c",
    stage="features",
    started_at=datetime(2024, 7, 31, 10, 15, tzinfo=UTC),
    seconds=2.5,
    message="11 columns",
)
PAYMENTS, FEATURES = DatasetName("file", "/bank/lake/staging/payments"), DatasetName("file", "/bank/lake/features")
READ = Dataset(
    place=PAYMENTS,
    version=3,
    rows=1_200,
    size=9_000,
    files=2,
    not_null=["payment_id"],
    checks=[("payment_id_is_not_null", "payment_id", True), ("keys_are_unique", "", True)],
)
WRITTEN = Dataset(
    place=FEATURES,
    version=0,
    meaning="What was known.",
    columns=[("customer_id", "BIGINT", ""), ("amount_sum_30d", "DOUBLE", "Amount paid")],
    lineage={
        "amount_sum_30d": [
            InputField(PAYMENTS, "amount", "DIRECT", "AGGREGATION"),
            InputField(PAYMENTS, "paid_on", "INDIRECT", "FILTER"),
            InputField(PAYMENTS, "amount", "INDIRECT", "FILTER"),
            InputField(PAYMENTS, "paid_on", "INDIRECT", "FILTER"),
        ]
    },
    rows=40,
    size=700,
    files=1,
)


def events(record=RECORD, **changed):
    given = {"inputs": [READ], "outputs": [WRITTEN], "snapshot": date(2024, 6, 30), **changed}
    found = run_events(record, "First Bank", "duckdb 1.4.2", **given)
    for event in found:
        require_valid(event)
    return found


def test_a_built_stage_starts_and_completes_at_its_times():
    start, end = events()
    require_runs([start, end])
    assert (start["eventType"], start["eventTime"]) == ("START", "2024-07-31T10:15:00+00:00")
    assert (end["eventType"], end["eventTime"]) == ("COMPLETE", "2024-07-31T10:15:02.500000+00:00")
    assert (end["job"]["namespace"], end["job"]["name"]) == ("First Bank", "features")
    assert "inputs" not in start
    facets = end["run"]["facets"]
    assert (facets["processing_engine"]["name"], facets["processing_engine"]["version"]) == ("duckdb", "1.4.2")
    assert facets["nominalTime"]["nominalStartTime"] == "2024-06-30T00:00:00Z"
    assert "errorMessage" not in facets


def test_an_input_has_its_version_and_its_quality():
    (read,) = events()[1]["inputs"]
    assert (read["namespace"], read["name"]) == PAYMENTS
    assert read["facets"]["version"]["datasetVersion"] == "3"
    metrics = read["inputFacets"]["dataQualityMetrics"]
    assert (metrics["rowCount"], metrics["bytes"], metrics["fileCount"]) == (1_200, 9_000, 2)
    assert metrics["columnMetrics"] == {"payment_id": {"nullCount": 0}}
    assert read["inputFacets"]["dataQualityAssertions"]["assertions"] == [
        {"assertion": "payment_id_is_not_null", "success": True, "column": "payment_id"},
        {"assertion": "keys_are_unique", "success": True},
    ]


def test_an_output_has_its_schema_its_lineage_and_its_size():
    (written,) = events()[1]["outputs"]
    facets = written["facets"]
    assert facets["documentation"]["description"] == "What was known."
    assert facets["schema"]["fields"] == [
        {"name": "customer_id", "type": "BIGINT"},
        {"name": "amount_sum_30d", "type": "DOUBLE", "description": "Amount paid"},
    ]
    # A column that is read in two ways stands there once, with both.
    payments = {"namespace": "file", "name": "/bank/lake/staging/payments"}
    summed, filtered = {"type": "DIRECT", "subtype": "AGGREGATION"}, {"type": "INDIRECT", "subtype": "FILTER"}
    assert facets["columnLineage"]["fields"] == {
        "amount_sum_30d": {
            "inputFields": [
                {**payments, "field": "amount", "transformations": [summed, filtered]},
                {**payments, "field": "paid_on", "transformations": [filtered]},
            ]
        }
    }
    statistics = written["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"], statistics["fileCount"]) == (40, 700, 1)


@pytest.mark.parametrize(("status", "ends"), [("failed", "FAIL"), ("interrupted", "ABORT")])
def test_a_stage_that_did_not_end_says_so(status, ends):
    record = replace(RECORD, status=status, message="key: Quokka0")
    start, end = events(record, inputs=[], outputs=[], snapshot=None, failure="InputError")
    assert end["eventType"] == ends
    assert "errorMessage" not in start["run"]["facets"]
    said = end["run"]["facets"].get("errorMessage", {})
    told = (
        "InputError in stage 'features'; the message is in the lake's ledger, run 20240731T101500-3f2a9c: tenure status"
    )
    assert said.get("message") == (told if status == "failed" else None)
    assert "stackTrace" not in said
    assert "Quokka" not in str(end)


def test_a_current_stage_has_no_event():
    assert events(replace(RECORD, status="current")) == []


def test_each_run_of_a_stage_has_an_id_of_its_own():
    def id_of(record, namespace="First Bank"):
        return run_events(record, namespace, "")[0]["run"]["runId"]

    later = RECORD.started_at.replace(minute=16)
    others = [{"run_id": "20240731T101500-000000"}, {"stage": "labels"}, {"started_at": later}]
    ids = [id_of(RECORD), id_of(RECORD, "Second Bank"), *(id_of(replace(RECORD, **other)) for other in others)]
    assert len(set(ids)) == 5
    assert id_of(replace(RECORD, seconds=9.0)) == ids[0]


def test_what_is_not_known_is_left_out():
    alone = Dataset(place=DatasetName("postgres://db:5432", "bank.public.payments"))
    (_, end) = run_events(RECORD, "First Bank", "", inputs=[alone])
    require_valid(end)
    assert end["run"]["facets"] == {}
    assert end["inputs"][0] == {
        "namespace": "postgres://db:5432",
        "name": "bank.public.payments",
        "facets": {},
        "inputFacets": {},
    }


def test_a_place_is_named_as_the_specification_says():
    assert dataset_name(Path("/bank/lake/features")) == ("file", "/bank/lake/features")
    assert dataset_name(S3Location("first-bank", "lake/features")) == ("s3://first-bank", "lake/features")


def test_a_misspelled_facet_is_found():
    _, end = events()
    end["run"]["facets"]["nominaltime"] = end["run"]["facets"].pop("nominalTime")
    with pytest.raises(ValidationError):
        require_valid(end)
