"""Two versions of a table of the lake compared: hand-worked, and on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest
import tiny_bank
from canaries import leaks_in_text
from typer.testing import CliRunner

from tenure.catalog.diff import diff
from tenure.cli import app
from tenure.errors import MissingTable, StoreError
from tenure.session.work import Work
from tenure.stages.run import run, stages_between

JANUARY, FEBRUARY = date(2024, 1, 31), date(2024, 2, 29)

#: The canary is a name that stands in a personal column.
CANARY = "Zerbinetta"


@pytest.fixture
def work(tmp_path):
    bank = tiny_bank.write_tiny_bank(tmp_path / "bank")
    sources = bank / "sources.py"
    sources.write_text(
        sources.read_text().replace('Column("region", role="attribute")', 'Column("region", role="pii")')
    )
    features = bank / "features" / "paid.py"
    text = features.read_text().replace('Attribute("region", of="region", doc="Region")', KNOWN)
    features.write_text(text)
    with Work.open(bank) as opened:
        yield opened


KNOWN = 'Attribute("opened", of="opened_on", how="days_since", doc="Time as a customer")'


def labels(rows):
    """Rows (customer, snapshot, churned) as the table of labels."""
    return pa.table(
        {
            "customer_id": pa.array([row[0] for row in rows], pa.int64()),
            "snapshot_date": pa.array([row[1] for row in rows], pa.date32()),
            "label_start": pa.array([row[1] for row in rows], pa.date32()),
            "label_end": pa.array([date(2024, 12, 31)] * len(rows), pa.date32()),
            "churned": pa.array([row[2] for row in rows], pa.int64()),
            "definition": ["quiet"] * len(rows),
        }
    )


def write(work, table, *versions):
    contract = replace(work.contracts[table], keys=(), required=(), invariants=(), same_rows_as="", partition_by=())
    with work.lake.locked():
        for number, rows in enumerate(versions):
            work.lake.write(rows, contract, fingerprint=str(number))


def told(work, *words):
    result = CliRunner().invoke(app, ["diff", *map(str, words), "-p", str(work.folder)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_rows_and_cells_are_counted_by_key(work):
    before = [(1, JANUARY, 0), (1, FEBRUARY, 0), (2, JANUARY, 1), (3, JANUARY, 0)]
    after = [(1, JANUARY, 0), (1, FEBRUARY, 1), (3, JANUARY, 0), (4, JANUARY, 0), (5, JANUARY, 1)]
    write(work, "labels", labels(before), labels(after))
    found = diff(work, "labels", 0, 1)
    assert (found.rows_before, found.rows_after) == (4, 5)
    assert (found.added, found.removed, found.changed, found.same, found.cells_changed) == (2, 1, 1, 2, 1)
    (change,) = found.largest
    assert change.key == {"customer_id": "1", "snapshot_date": "2024-02-29"}
    assert (change.column, change.before, change.after) == ("churned", "0", "1")
    # Of 0, 0, 1, 0 and 0, 1, 0, 0, 1 a third are 1: a standard deviation of √(2/9).
    assert change.size == pytest.approx(1 / (2 / 9) ** 0.5)
    (churned,) = [column for column in found.columns if column.name == "churned"]
    assert (churned.cells_changed, churned.before.greatest, churned.before.middle, churned.after.rows) == (1, 1, 0, 5)


def test_backwards_added_and_removed_change_places(work):
    write(work, "labels", labels([(1, JANUARY, 0)]), labels([(1, JANUARY, 0), (2, JANUARY, 1)]))
    there, back = diff(work, "labels", 0, 1), diff(work, "labels", 1, 0)
    assert (there.added, there.removed) == (back.removed, back.added) == (1, 0)
    assert diff(work, "labels", 1, 1).same == 2


def test_a_version_without_rows_is_compared_too(work):
    write(work, "labels", labels([(1, JANUARY, 0)]), labels([]))
    found = diff(work, "labels", 0, 1)
    assert (found.added, found.removed, found.same, found.largest) == (0, 1, 0, ())


def test_files_of_both_versions_count_as_the_same_rows(work):
    """A backfill of one more month leaves the files of the others as they are."""
    contract = work.contracts["features"]
    january = pa.table(
        {"customer_id": [1, 2], "snapshot_date": pa.array([JANUARY] * 2, pa.date32()), "amount_sum_30d": [1.5, 2.5]}
    )
    february = january.set_column(1, "snapshot_date", pa.array([FEBRUARY] * 2, pa.date32()))
    work.lake.write_partition(january, contract, {"snapshot_date": JANUARY}, fingerprint="1")
    work.lake.write_partition(february, contract, {"snapshot_date": FEBRUARY}, fingerprint="2")
    found = diff(work, "features", 0, 1)
    assert (found.added, found.removed, found.changed, found.same) == (2, 0, 0, 2)


def test_columns_that_came_and_went_are_named_and_tolerance_forgives_floats(work):
    first = pa.table(
        {
            "customer_id": [1, 2],
            "snapshot_date": pa.array([JANUARY] * 2, pa.date32()),
            "a_sum": [1.0, 2.0],
            "old": [1, 2],
        }
    )
    second = first.drop_columns(["a_sum", "old"]).append_column("a_sum", [[1.001, 2.0]])
    second = second.append_column("new", [["x", "y"]])
    write(work, "features", first, second)
    found = diff(work, "features", 0, 1)
    types = {column.name: (column.type_before, column.type_after) for column in found.columns}
    assert types == {"a_sum": ("double", "double"), "old": ("int64", ""), "new": ("", "string")}
    assert found.changed == 1
    assert diff(work, "features", 0, 1, tolerance=0.01).changed == 0
    assert "old                                      dropped (int64)" in told(work, "features", 0, 1)


def test_values_and_keys_of_personal_columns_are_in_no_output(work):
    source = work.contracts["staging/customers"]
    assert "region" in source.personal

    def rows(region):
        instant = pa.array([0], pa.timestamp("us", tz="UTC"))
        return pa.table(
            {
                "customer_id": [1],
                "region": [region],
                "opened_on": pa.array([JANUARY], pa.date32()),
                **dict.fromkeys(("event_time", "known_time"), instant),
                "known_until": pa.array([None], pa.timestamp("us", tz="UTC")),
            }
        )

    write(work, "staging/customers", rows("someone"), rows(CANARY))
    found = diff(work, "customers", 0, 1)
    assert (found.cells_changed, found.largest) == (1, ())
    printed = told(work, "customers", 0, 1) + told(work, "customers", 0, 1, "--json")
    assert "region" in printed
    assert leaks_in_text(printed, [CANARY]) == []


def test_a_personal_key_shows_its_shape(work):
    """A customer's number that is declared personal stands in the key of a change: there it is digits, so many."""
    sources = work.folder / "sources.py"
    text = sources.read_text().replace(
        'Column("customer_id", type="integer", role="key")', 'Column("customer_id", type="integer", role="pii")', 1
    )
    sources.write_text(text)
    with Work.open(work.folder) as again:
        assert "customer_id" in again.contracts["labels"].personal
        write(again, "labels", labels([(4711001, JANUARY, 0)]), labels([(4711001, JANUARY, 1)]))
        (change,) = diff(again, "labels", 0, 1).largest
    assert change.key == {"customer_id": "7 digits", "snapshot_date": "2024-01-31"}
    printed = told(work, "labels", 0, 1) + told(work, "labels", 0, 1, "--json")
    assert leaks_in_text(printed, ["4711001"]) == []


def test_what_can_not_be_compared_is_refused_with_what_to_do(work):
    write(work, "labels", labels([(1, JANUARY, 0)]))
    with pytest.raises(StoreError, match=r"'labels' has no version 3; versions: 0 to 0"):
        diff(work, "labels", 0, 3)
    with pytest.raises(MissingTable, match="'nothing' is not built yet"):
        diff(work, "nothing", 0, 1)
    write(work, "split_proof", pa.table({"train_rows": [1]}))
    with pytest.raises(StoreError, match=r"'split_proof' has no key by which .* tables that have one: labels\."):
        diff(work, "split_proof", 0, 0)


def test_a_key_of_older_definitions_is_refused(work):
    """The lake's own writer refuses such rows today, so that they lie there only if an older contract let them."""
    rows = pa.table({"snapshot_date": pa.array([JANUARY] * 2, pa.date32()), "reason": ["r", "r"], "customers": [1, 2]})
    write(work, "unlabelled", rows, rows.drop_columns(["reason"]), rows.slice(1))
    with pytest.raises(StoreError, match=r"version 0 of table 'unlabelled' has 1 keys .* in more than one row"):
        diff(work, "unlabelled", 0, 2)
    with pytest.raises(StoreError, match=r"version 1 of table 'unlabelled' lacks 'reason', a part of the key"):
        diff(work, "unlabelled", 1, 1)


def test_the_command_prints_declared_records(work):
    write(work, "labels", labels([(1, JANUARY, 0)]), labels([(1, JANUARY, 1)]))
    records = [json.loads(line) for line in told(work, "labels", 0, 1, "--json").splitlines()]
    assert [record["record"] for record in records] == ["diff", *["column_diff"] * 4, "change"]
    assert records[-1]["before"] == "0"
    assert "rows   1 → 1: 0 added, 0 removed, 1 changed, 0 the same" in told(work, "labels", 0, 1)


@pytest.mark.parametrize("tolerance", ["nan", "inf", "-1"])
def test_a_tolerance_that_is_no_number_is_wrong_usage(tmp_path, tolerance):
    result = CliRunner().invoke(app, ["diff", "labels", "0", "1", "-p", str(tmp_path), f"--tolerance={tolerance}"])
    assert result.exit_code == 2
    assert "tolerance" in result.output


def test_a_whole_bank_built_twice_with_the_same_definitions_differs_in_nothing(work):
    for _ in range(2):
        list(run(work, stages_between("staging", "features")))
    assert diff(work, "features", 0, 0).cells_changed == 0
