"""Lineage events of real runs: what each stage read and wrote, once; nothing of a customer in them."""

import json
import shutil

import pytest
from openlineage_spec import require_runs, require_valid
from stages.runs import edit, ran
from tiny_bank import ASKED, write_tiny_bank

from tenure.errors import TenureError
from tenure.session.work import Work
from tenure.stages.run import run

SUMMED, SAME, CHANGED = ("DIRECT", "AGGREGATION"), ("DIRECT", "IDENTITY"), ("DIRECT", "TRANSFORMATION")
WHOSE, COUNTS, DECIDES = ("INDIRECT", "GROUP_BY"), ("INDIRECT", "FILTER"), ("INDIRECT", "CONDITIONAL")


def lineage_files(folder):
    return sorted((folder / "lake" / "lineage").glob("*.jsonl"))


def events_of(file):
    """The events of a file, each valid."""
    events = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for event in events:
        require_valid(event)
    return events


def ends_of(folder):
    """The events that end the stages of the newest run, by the stage."""
    return {event["job"]["name"]: event for event in require_runs(events_of(lineage_files(folder)[-1]))}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = write_tiny_bank(tmp_path_factory.mktemp("events") / "bank")
    ran(folder)
    return folder


@pytest.fixture
def bank(built, tmp_path):
    return shutil.copytree(built, tmp_path / "bank")


@pytest.fixture(scope="module")
def ends(built):
    return ends_of(built)


def names(datasets, folder):
    """The datasets of an event as the bank calls them."""
    return {dataset["name"].removeprefix(f"{folder.as_posix()}/") for dataset in datasets}


def output(event, table):
    (found,) = (one for one in event["outputs"] if one["name"].endswith(f"/lake/{table}"))
    return found


def read_by(event, table, column):
    """What a column is made from, by the last parts of the dataset's name and the field."""
    fields = output(event, table)["facets"]["columnLineage"]["fields"][column]["inputFields"]
    return {
        f"{one['name'].rpartition('/')[2]}.{one['field']}": [(h["type"], h["subtype"]) for h in one["transformations"]]
        for one in fields
    }


def test_each_stage_that_did_something_has_a_run_of_its_own(ends, built):
    assert tuple(ends) == ASKED
    assert {event["eventType"] for event in ends.values()} == {"COMPLETE"}
    assert {event["job"]["namespace"] for event in ends.values()} == {"Tiny Bank"}
    read = {stage: names(event["inputs"], built) for stage, event in ends.items()}
    written = {stage: names(event["outputs"], built) for stage, event in ends.items()}
    assert read["staging"] == {"data/customers.csv", "data/payments.csv"}
    assert written["staging"] >= {"lake/staging/customers", "lake/staging/payments", "lake/intake"}
    assert written["features"] == {"lake/features", "lake/tiles/payments"}
    assert read["training_set"] == {"lake/features", "lake/labels", "lake/splits"}
    assert written["training_set"] == {"lake/training_set"}
    places = {one["namespace"] for event in ends.values() for one in (*event["inputs"], *event["outputs"])}
    assert places == {"file"}


def test_what_one_stage_writes_the_next_reads_under_the_same_name_and_version(ends):
    written = {}
    for event in ends.values():
        for one in event["inputs"]:
            if "/lake/" in one["name"]:
                assert one["facets"]["version"]["datasetVersion"] == written[one["name"]]
        for one in event["outputs"]:
            written[one["name"]] = one["facets"]["version"]["datasetVersion"]


def test_a_feature_is_traced_to_the_staged_columns_that_it_reads(ends):
    times = {"payments.customer_id": [WHOSE], "payments.payment_id": [COUNTS], "payments.paid_on": [COUNTS]}
    features = ends["features"]
    assert read_by(features, "features", "amount_sum_30d") == {"payments.amount": [SUMMED], **times}
    assert read_by(features, "features", "large_count_90d") == {"payments.amount": [COUNTS], **times}
    # A ratio reads what its two sides do; of a recency the time is the value.
    assert read_by(features, "features", "large_to_all_ratio_90d") == {"payments.amount": [COUNTS], **times}
    recency = read_by(features, "features", "payment_days_since_last")
    assert recency["payments.paid_on"] == [SUMMED, COUNTS]
    assert read_by(features, "features", "region")["customers.region"] == [SAME]
    assert read_by(features, "features", "history_share_30d") == {"snapshots.opened_on": [CHANGED]}
    assert read_by(features, "features", "customer_id") == {"snapshots.customer_id": [SAME]}


def test_the_label_is_a_condition_on_what_the_event_reads(ends):
    assert read_by(ends["labels"], "labels", "churned") == {
        "snapshots.tenure_days": [DECIDES],
        "customers.closed_on": [DECIDES],
        "payments.customer_id": [WHOSE],
        "payments.paid_on": [DECIDES],
    }
    assert read_by(ends["labels"], "labels", "label_end") == {"snapshots.snapshot_date": [CHANGED]}


def test_every_other_table_is_traced_one_step_back(ends):
    assert read_by(ends["staging"], "staging/payments", "known_time") == {"payments.csv.paid_on": [CHANGED]}
    assert read_by(ends["snapshots"], "snapshots", "opened_on")["customers.opened_on"] == [COUNTS, SAME]
    assert read_by(ends["training_set"], "training_set", "amount_sum_30d") == {"features.amount_sum_30d": [SAME]}
    assert read_by(ends["training_set"], "training_set", "churned") == {"labels.churned": [SAME]}
    # `seen_in_train` follows from `split`, a column of the same table: what that reads is what it reads.
    assert read_by(ends["splits"], "splits", "seen_in_train") == read_by(ends["splits"], "splits", "split")


def test_every_field_that_is_read_is_in_the_schema_of_what_was_written_or_read(ends):
    fields = {}
    for event in ends.values():
        for one in (*event["inputs"], *event["outputs"]):
            for field in one["facets"].get("schema", {}).get("fields", ()):
                fields.setdefault(one["name"], set()).add(field["name"])
    traced = 0
    for event in ends.values():
        for one in event["outputs"]:
            for column, read in one["facets"].get("columnLineage", {"fields": {}})["fields"].items():
                assert column in fields[one["name"]]
                for part in read["inputFields"]:
                    assert part["field"] in fields[part["name"]], (one["name"], column)
                    traced += 1
    assert traced > 100


def test_a_schema_has_types_and_meanings(ends):
    fields = {one["name"]: one for one in output(ends["features"], "features")["facets"]["schema"]["fields"]}
    assert fields["customer_id"] == {"name": "customer_id", "type": "BIGINT", "description": "the customer"}
    assert fields["amount_sum_30d"]["type"] == "DOUBLE"
    assert fields["amount_sum_30d"]["description"].startswith("Amount paid")


def test_numbers_are_those_of_the_lake(ends, built):
    with Work.open(built) as work:
        versions = {name: work.require(name) for name in ("features", "payments")}
        version = versions["features"]
        statistics = output(ends["features"], "features")["outputFacets"]["outputStatistics"]
        assert statistics["rowCount"] == version.rows > 0
        assert statistics["size"] == sum(file.stat().st_size for file in version.files)
        assert statistics["fileCount"] == len(version.files)
    (payments,) = (one for one in ends["snapshots"]["inputs"] if one["name"].endswith("staging/payments"))
    metrics = payments["inputFacets"]["dataQualityMetrics"]
    assert metrics["rowCount"] == versions["payments"].rows
    assert metrics["columnMetrics"]["payment_id"] == {"nullCount": 0}
    checks = payments["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {"assertion": "keys_are_unique", "success": True} in checks
    (raw,) = (one for one in ends["staging"]["inputs"] if one["name"].endswith("/payments.csv"))
    lines = (built / "data" / "payments.csv").read_text().splitlines()
    assert raw["inputFacets"]["dataQualityMetrics"]["rowCount"] == len(lines) - 1


def test_the_nominal_time_is_the_newest_snapshot(ends):
    facets = ends["features"]["run"]["facets"]
    assert facets["nominalTime"]["nominalStartTime"] == "2024-06-30T00:00:00Z"
    assert facets["processing_engine"]["name"] == "duckdb"
    assert "nominalTime" not in ends["staging"]["run"]["facets"]


def test_a_run_that_finds_all_current_has_no_events(bank):
    before = lineage_files(bank)
    statuses, _ = ran(bank)
    assert set(statuses.values()) == {"current"}
    assert lineage_files(bank) == before


def test_a_stage_that_runs_again_names_what_it_wrote_anew(bank):
    with (bank / "data" / "payments.csv").open("a") as file:
        file.write("99999,3,2024-06-15,12.50\n")
    ran(bank)
    ends = ends_of(bank)
    assert names(ends["staging"]["inputs"], bank) == {"data/payments.csv"}
    assert "lake/staging/payments" in names(ends["staging"]["outputs"], bank)
    assert "lake/staging/customers" not in names(ends["staging"]["outputs"], bank)
    assert output(ends["staging"], "staging/payments")["facets"]["version"]["datasetVersion"] == "1"
    # What was not checked in this run is not said to have been.
    (customers,) = (one for one in ends["features"]["inputs"] if one["name"].endswith("/customers"))
    assert set(customers["inputFacets"]) == {"dataQualityMetrics"}


def test_lineage_can_be_left_out_and_named_otherwise(tmp_path):
    folder = write_tiny_bank(tmp_path / "bank")
    ran(folder, ("staging",), lineage={"openlineage": False})
    assert not (folder / "lake" / "lineage").exists()
    edit(folder / "data" / "payments.csv", "0,0,", "99998,0,")
    ran(folder, ("staging",), lineage={"namespace": "retail/churn"})
    assert ends_of(folder)["staging"]["job"]["namespace"] == "retail/churn"


#: A customer, a key and an amount that no definition names.
CANARIES = ("Quokka", "7310017", "4711.17")


@pytest.fixture
def with_canaries(tmp_path):
    """The bank with canaries in its rows, and one in the name of a file."""
    folder = write_tiny_bank(tmp_path / "bank")
    data = folder / "data"
    customers = (data / "customers.csv").read_text() + "7310017,Quokka,2023-07-04,\n"
    (data / "customers.csv").unlink()
    (data / "customers_Quokka.csv").write_text(customers)
    edit(folder / "sources.py", 'Csv("customers.csv")', 'Csv("customers_*.csv")')
    with (data / "payments.csv").open("a") as file:
        file.writelines(f"{7310017000 + day},7310017,2024-0{1 + day % 6}-03,4711.17\n" for day in range(6))
    return folder


def test_no_value_of_a_customer_stands_in_an_event(with_canaries):
    statuses, _ = ran(with_canaries)
    assert set(statuses.values()) == {"built", "current"}
    assert b"Quokka" in b"".join(file.read_bytes() for file in (with_canaries / "lake").rglob("*.parquet"))
    (file,) = lineage_files(with_canaries)
    text = file.read_text(encoding="utf-8")
    assert "customers_*.csv" in text
    assert [canary for canary in CANARIES if canary in text] == []


def test_a_stage_that_fails_says_why_without_a_value(with_canaries):
    # Every payment has a key that is no number: too many rows would be set aside.
    file = with_canaries / "data" / "payments.csv"
    header, *rows = file.read_text().splitlines()
    file.write_text("\n".join([header, *(f"Quokka{row}" for row in rows)]) + "\n")
    with pytest.raises(TenureError) as failed:
        ran(with_canaries)
    ends = ends_of(with_canaries)
    assert list(ends) == ["staging"]
    assert ends["staging"]["eventType"] == "FAIL"
    assert (ends["staging"]["inputs"], ends["staging"]["outputs"]) == ([], [])
    said = ends["staging"]["run"]["facets"]["errorMessage"]
    # The message on the terminal may show an example of what is no personal column; a catalog is read by more people.
    assert "Quokka" in failed.value.message
    assert said["message"].startswith(f"{type(failed.value).__name__} in stage 'staging'; ")
    text = lineage_files(with_canaries)[-1].read_text(encoding="utf-8")
    assert [word for word in (*CANARIES, "Traceback") if word in text] == []


@pytest.mark.parametrize(
    ("error", "ends_with"), [(KeyboardInterrupt(), "ABORT"), (ValueError("Quokka pays 4711.17"), "FAIL")]
)
def test_a_stage_that_is_stopped_or_breaks_says_so(bank, error, ends_with):
    def breaks(work):
        raise error

    with Work.open(bank) as work, pytest.raises(type(error)):
        list(run(work, ("labels",), {"labels": breaks}))
    assert ends_of(bank)["labels"]["eventType"] == ends_with
    assert "Quokka" not in lineage_files(bank)[-1].read_text(encoding="utf-8")
