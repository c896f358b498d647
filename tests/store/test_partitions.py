"""Tables that keep what each model said of each snapshot: a partition is replaced, the others are never read back."""

from dataclasses import replace
from datetime import date

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenure.define.contract_base import Contract
from tenure.errors import CheckFailed, StoreError
from tenure.store.lake import Lake
from tenure.store.rows import partitions_of, read_batches, read_rows, write_rows
from tenure.store.table import partition_folder, partition_values

BY = ("snapshot_date", "model_version")
SCORES = Contract(table="scores", keys=("customer_id", *BY), partition_by=BY, required=("score",))
JANUARY, FEBRUARY = date(2024, 1, 31), date(2024, 2, 29)


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def scored(day, model, scores, **more):
    columns = {
        "customer_id": pa.array(range(len(scores)), pa.int64()),
        "snapshot_date": pa.repeat(pa.scalar(day), len(scores)),
        "model_version": pa.array([model] * len(scores), pa.string()),
        "score": pa.array(scores, pa.float64()),
    }
    return pa.table(columns | more)


def of(day, model):
    return {"snapshot_date": day, "model_version": model}


def found(lake, **where):
    order = [(name, "ascending") for name in ("snapshot_date", "model_version", "customer_id")]
    return lake.read("scores", where=where or None).sort_by(order).to_pylist()


def test_each_model_and_snapshot_is_a_partition_and_a_new_score_replaces_its_own_alone(lake):
    lake.write_partition(scored(JANUARY, "a-1", [0.1, 0.2]), SCORES, of(JANUARY, "a-1"))
    lake.write_partition(scored(FEBRUARY, "a-1", [0.3]), SCORES, of(FEBRUARY, "a-1"))
    lake.write_partition(scored(FEBRUARY, "b/2", [0.4]), SCORES, of(FEBRUARY, "b/2"))
    kept = {file: file.stat().st_mtime_ns for file in lake.require("scores").files if "2024-01-31" in str(file)}
    lake.write_partition(scored(FEBRUARY, "a-1", [0.5, 0.6]), SCORES, of(FEBRUARY, "a-1"))
    version = lake.require("scores")
    assert version.partition_by == BY
    assert [(r["snapshot_date"], r["model_version"], r["score"]) for r in found(lake)] == [
        (JANUARY, "a-1", 0.1),
        (JANUARY, "a-1", 0.2),
        (FEBRUARY, "a-1", 0.5),
        (FEBRUARY, "a-1", 0.6),
        (FEBRUARY, "b/2", 0.4),
    ]
    assert {file: file.stat().st_mtime_ns for file in version.files if "2024-01-31" in str(file)} == kept


def test_one_partition_is_read_without_the_others(lake):
    lake.write_partition(scored(JANUARY, "a-1", [0.1]), SCORES, of(JANUARY, "a-1"))
    lake.write_partition(scored(FEBRUARY, "a-1", [0.3]), SCORES, of(FEBRUARY, "a-1"))
    (january,) = [file for file in lake.require("scores").files if "2024-01-31" in str(file)]
    stored = lake.require("scores")
    january.write_bytes(b"not read")
    assert read_rows(stored, where={"snapshot_date": "2024-02-29"})["score"].to_pylist() == [0.3]
    assert read_rows(stored, ["model_version"], {"snapshot_date": "2024-02-29"}).to_pylist() == [
        {"model_version": "a-1"}
    ]
    assert read_rows(stored, where={"snapshot_date": "2024-03-31"}).num_rows == 0


def test_rows_come_in_batches_with_their_partition_and_null_where_a_file_is_older_than_a_column(lake):
    lake.write_partition(scored(JANUARY, "a-1", [0.1, 0.2, 0.3]), SCORES, of(JANUARY, "a-1"))
    lake.write_partition(scored(FEBRUARY, "a-1", [0.4]), SCORES, of(FEBRUARY, "a-1"))
    stored = lake.require("scores")
    later = replace(stored, schema=stored.schema.append(pa.field("added", pa.int64())))
    names = ["added", "score", "snapshot_date"]
    batches = list(read_batches(later, names, 2))
    assert sorted(batch.num_rows for batch in batches) == [1, 1, 2]
    whole = pa.Table.from_batches(batches)
    assert whole.equals(read_rows(later, names))
    assert whole["added"].null_count == 4
    assert list(read_batches(replace(stored, files=()), ["score"], 2)) == []


def test_no_rows_leave_an_empty_partition_and_the_others_stay(lake):
    lake.write_partition(scored(JANUARY, "a-1", [0.1]), SCORES, of(JANUARY, "a-1"))
    lake.write_partition(scored(FEBRUARY, "a-1", [0.3]), SCORES, of(FEBRUARY, "a-1"))
    lake.write_partition(scored(FEBRUARY, "a-1", []), SCORES, of(FEBRUARY, "a-1"), fingerprint="empty")
    assert [row["score"] for row in found(lake)] == [0.1]
    assert found(lake, snapshot_date="2024-02-29") == []
    assert lake.require("scores").fingerprint == "empty"


@pytest.mark.parametrize("untyped", [False, True], ids=["typed", "columns of no type"])
def test_a_table_may_begin_with_an_empty_partition(lake, untyped):
    none = scored(JANUARY, "a-1", [])
    none = pa.table({name: pa.nulls(0) for name in none.column_names}) if untyped else none
    lake.write_partition(none, SCORES, of(JANUARY, "a-1"))
    assert found(lake) == []
    assert lake.require("scores").partition_by == BY


def test_rows_of_real_types_follow_an_empty_first_partition(lake):
    none = pa.table({name: pa.nulls(0) for name in ("customer_id", "score", "feature")})
    lake.write_partition(none, SCORES, of(JANUARY, "a-1"))
    lake.write_partition(none, SCORES, of(FEBRUARY, "a-1"))
    some = scored(FEBRUARY, "a-1", [0.2], feature=pa.array([7], pa.int64()))
    lake.write_partition(some, SCORES, of(FEBRUARY, "a-1"))
    assert [(row["score"], row["feature"]) for row in found(lake)] == [(0.2, 7)]


def test_rows_get_the_columns_of_their_partition(lake):
    rows = scored(JANUARY, "a-1", [0.1]).drop_columns(list(BY))
    lake.write_partition(rows, SCORES, of(JANUARY, "a-1"))
    assert found(lake) == [{"customer_id": 0, "snapshot_date": JANUARY, "model_version": "a-1", "score": 0.1}]


def test_untyped_columns_of_no_rows_take_the_types_that_are_stored(lake):
    lake.write_partition(scored(JANUARY, "a-1", [0.1]), SCORES, of(JANUARY, "a-1"))
    before = lake.require("scores").schema
    none = pa.table({name: pa.nulls(0) for name in before.names})
    lake.write_partition(none, SCORES, of(FEBRUARY, "a-1"))
    assert lake.require("scores").schema == before


def test_a_column_that_comes_later_is_null_before(lake):
    lake.write_partition(scored(JANUARY, "a-1", [0.1]), SCORES, of(JANUARY, "a-1"))
    lake.write_partition(scored(FEBRUARY, "a-1", [0.3], age=pa.array([7], pa.int64())), SCORES, of(FEBRUARY, "a-1"))
    lake.write_partition(scored(FEBRUARY, "b-1", [0.3]), SCORES, of(FEBRUARY, "b-1"))
    assert [row["age"] for row in found(lake)] == [None, 7, None]


def test_a_column_of_another_type_is_refused_with_what_to_move_away(lake):
    before = lake.write_partition(scored(JANUARY, "a-1", [0.1]), SCORES, of(JANUARY, "a-1"))
    other = scored(FEBRUARY, "a-1", [0.3]).set_column(0, "customer_id", pa.array(["7"]))
    with pytest.raises(StoreError, match=r"has the columns customer_id, .* or has them as other types") as caught:
        lake.write_partition(other, SCORES, of(FEBRUARY, "a-1"))
    assert f"Move '{lake.path('scores')}' away" in caught.value.hint
    assert lake.require("scores") == before


def test_rows_that_break_the_contract_leave_nothing_behind(lake):
    before = lake.write_partition(scored(JANUARY, "a-1", [0.1]), SCORES, of(JANUARY, "a-1"))
    with pytest.raises(CheckFailed, match="table 'scores' breaks its contract"):
        lake.write_partition(scored(FEBRUARY, "a-1", [None]), SCORES, of(FEBRUARY, "a-1"))
    assert lake.require("scores") == before
    assert len(list(lake.path("scores").rglob("*.parquet"))) == 1


def test_a_table_of_an_older_lake_is_put_into_partitions_once_with_its_history(lake):
    old = pa.concat_tables([scored(JANUARY, "a-1", [0.1, 0.2]), scored(FEBRUARY, "a-1", [0.3])])
    lake.write(old, Contract(table="scores"))
    lake.write_partition(scored(FEBRUARY, "a-1", [0.4]), SCORES, of(FEBRUARY, "a-1"))
    assert [row["score"] for row in found(lake)] == [0.1, 0.2, 0.4]
    assert [row["score"] for row in found(lake, snapshot_date="2024-01-31")] == [0.1, 0.2]
    assert lake.require("scores").partition_by == BY
    assert lake.read("scores", version=0)["score"].to_pylist() == [0.1, 0.2, 0.3]


def test_rows_of_an_older_lake_that_say_no_partition_stay_in_the_old_version_alone(lake):
    lake.write(scored(JANUARY, "a-1", [0.1]).drop_columns(["model_version"]), Contract(table="scores"))
    lake.write_partition(scored(FEBRUARY, "a-1", [0.4]), SCORES, of(FEBRUARY, "a-1"))
    assert [row["score"] for row in found(lake)] == [0.4]
    assert lake.read("scores", version=0)["score"].to_pylist() == [0.1]


TEXTS = st.text(st.characters(exclude_characters="\0/\\", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)


@given(TEXTS)
def test_the_folder_of_a_partition_says_its_value_whatever_the_text(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("parts")
    values = {"snapshot_date": "2024-01-31", "model_version": text}
    assert partition_values(folder / partition_folder(values) / "part-1.parquet", BY) == values
    written = write_rows(scored(JANUARY, text, [0.5]), folder, BY, token="x")
    assert [partition_values(file, BY) for file in written] == [values]
    assert partitions_of(scored(JANUARY, text, [0.5]), BY) == [values]
