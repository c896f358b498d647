"""Rows that features are asked for, and files that others open: each fault a sentence, each CSV safe and exact."""

import json
from datetime import date, datetime

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from faults.command import edit, tenure
from tiny_bank import write_tiny_bank

from tenure import FeatureStore
from tenure.errors import BadValue, InvalidSpine, NotReproducible, TenureError, UnreadableFile
from tenure.feature_store.manifest import Manifest
from tenure.publish.csv_files import write_csv
from tenure.stages.report import _csv

FEATURES = "payment_count_30d"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    bank = write_tiny_bank(tmp_path_factory.mktemp("rows") / "bank")
    done = tenure("run", "--project", bank, "--to", "snapshots")
    assert done.returncode == 0, done.stderr
    with FeatureStore(bank) as opened:
        yield opened


def written(rows: pa.Table, **options) -> tuple[str, str]:
    sink = pa.BufferOutputStream()
    note = write_csv(rows, sink, **options)
    return sink.getvalue().to_pybytes().decode(), note


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_a_text_that_begins_like_a_formula_is_neutralised(sign):
    text, note = written(pa.table({"note": [f"{sign}1+1", "plain", None, f"a{sign}b"]}))
    assert text == f'"note"\n"\'{sign}1+1"\n"plain"\n\n"a{sign}b"\n'
    assert note == ""


def test_numbers_dates_truths_and_keys_are_exact_and_the_note_counts_keys():
    rows = pa.table(
        {
            "customer_id": ["-17", "=1", "x"],
            "amount": pa.array(["-1.50", "2.00", "-3.25"]).cast(pa.decimal128(9, 2)),
            "change": [-1.5, 2.5, -0.0],
            "day": [date(2024, 1, 1), date(1, 1, 1), date(9999, 12, 31)],
            "left": [True, False, None],
        }
    )
    text, note = written(rows, keys=["customer_id"])
    assert text.splitlines()[1] == '"-17",-1.50,-1.5,2024-01-01,true'
    assert note == (
        "values that begin like a formula, 2 of key 'customer_id', are written as they are: a spreadsheet may run them"
    )
    assert written(rows, keys=["customer_id"], safe=False) == (text, "")


def test_names_of_columns_are_neutralised_too_and_keys_are_not():
    text, _ = written(pa.table({"=cmd": [1], "-key": ["a"]}), keys=["-key"])
    assert text.splitlines()[0] == '"\'=cmd","-key"'


@pytest.mark.parametrize("type_", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
def test_every_kind_of_text_column_is_neutralised(type_):
    column = pa.array(["=1", "b"]).cast(type_)
    assert written(pa.table({"note": column}))[0] == '"note"\n"\'=1"\n"b"\n'


def test_the_attrition_list_read_back_joins_with_every_key():
    keys = ["=SUM(A1)", "+49", "-17", "@x", "007", "plain", 'with "quotes", and a comma']
    listed = pa.table({"customer_id": keys, "score": [0.5] * len(keys), "reason_1": ["-30% of payments"] * len(keys)})
    content, note = _csv(listed, ("customer_id",))
    back = pa_csv.read_csv(
        pa.BufferReader(content), convert_options=pa_csv.ConvertOptions(column_types={"customer_id": pa.string()})
    )
    assert back["customer_id"].to_pylist() == keys
    assert back["score"].to_pylist() == [0.5] * len(keys)
    assert set(back["reason_1"].to_pylist()) == {"'-30% of payments"}
    assert "4 of key 'customer_id'" in note


def test_historical_features_write_what_they_read_unless_asked(store, tmp_path):
    rows = pa.table({"customer_id": [1, 2], "snapshot_date": [date(2024, 3, 31)] * 2, "note": ["=1+1", "-x"]})
    job = store.get_historical_features(rows, FEATURES)
    job.to_file(tmp_path / "raw.csv")
    job.to_file(tmp_path / "safe.csv", safe_csv=True)
    assert pa_csv.read_csv(tmp_path / "raw.csv")["note"].to_pylist() == ["=1+1", "-x"]
    assert pa_csv.read_csv(tmp_path / "safe.csv")["note"].to_pylist() == ["'=1+1", "'-x"]


def no_text(*values: bytes) -> pa.Array:
    """Texts whose bytes nobody checked, as a foreign Parquet file may hold them."""
    return pa.array(values, pa.binary()).view(pa.string())


@pytest.mark.parametrize(
    ("column", "kind", "words"),
    [
        (pa.array([[1], [2]]), InvalidSpine, "column 'extra' is a list"),
        (pa.array([{"a": 1}, {"a": 2}]), InvalidSpine, "column 'extra' is a struct"),
        (pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())), InvalidSpine, "column 'extra' is a map"),
        (no_text(b"ok", b"Gr\xf6\xdfe"), BadValue, "column 'extra', row 1 (counted from 0): its bytes are no UTF-8"),
        (pa.array([b"\xff", b"ok"]), BadValue, "column 'extra', row 0 (counted from 0): its bytes are no UTF-8"),
        (pa.array([0, 10**18], pa.timestamp("us")), BadValue, "column 'extra', row 1 (counted from 0): its year"),
        (pa.array([(1, 2, 3), None], pa.month_day_nano_interval()), InvalidSpine, "column 'extra' is a month_day_nano"),
    ],
)
def test_what_csv_can_not_hold_is_told_and_nothing_is_written(store, tmp_path, column, kind, words):
    rows = pa.table({"customer_id": [1, 2], "snapshot_date": [date(2024, 3, 31)] * 2, "extra": column})
    job = store.get_historical_features(rows, FEATURES)
    with pytest.raises(kind) as caught:
        job.to_file(tmp_path / "out.csv")
    assert words in caught.value.message
    assert list(tmp_path.iterdir()) == []


MIDNIGHT = [datetime(2024, 3, 31)] * 2


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame({"customer_id": [1, "x"], "event_timestamp": MIDNIGHT}), "'customer_id' of the rows.*int, str"),
        (pd.DataFrame({"customer_id": [1, 2], "event_timestamp": ["2024-01-01", 5]}), "'event_timestamp'.*int, str"),
        (
            pd.DataFrame({"customer_id": [1, 2], "event_timestamp": MIDNIGHT, "note": [1.5, "x"]}),
            "'note' of the rows.*float, str",
        ),
        (pd.DataFrame({"customer_id": [1, 2], "event_timestamp": MIDNIGHT, "o": [object(), 1]}), "'o' of the rows"),
        (pd.DataFrame({"customer_id": [2**70, 2], "event_timestamp": MIDNIGHT}), "'customer_id' of the rows"),
        (pd.DataFrame({"customer_id": [1.5, 2], "event_timestamp": MIDNIGHT}), "'customer_id'.*row 0"),
        (pd.DataFrame([[1, 1, 2]], columns=["customer_id", "customer_id", "event_timestamp"]), "'customer_id' twice"),
        (pd.DataFrame({"customer_id": [1, 2], "event_timestamp": [1j, 2j]}), "rows"),
        (pa.table({"customer_id": [1], "snapshot_date": pa.array([9 * 10**13], pa.timestamp("s"))}), "row 0.*290,000"),
        (pa.table({"customer_id": [1, 2], "snapshot_date": pa.nulls(2)}), "null in row 0"),
        (pa.table({"customer_id": no_text(b"\xff"), "snapshot_date": [date(2024, 1, 1)]}), "the key is a integer"),
    ],
)
def test_frames_that_can_not_be_asked_for_are_tenures_errors(store, frame, words):
    with pytest.raises(TenureError, match=words):
        store.get_historical_features(frame, FEATURES).to_arrow()


def test_a_stream_of_another_library_that_fails_is_tenures_error(store):
    class Foreign:
        def __arrow_c_stream__(self, requested_schema=None):
            raise RuntimeError("whatever")

    with pytest.raises(InvalidSpine, match="the rows, a Foreign, can't be read"):
        store.get_historical_features(Foreign(), FEATURES)


@pytest.mark.parametrize("content", [b"customer_id,event_timestamp\n", b"\xef\xbb\xbfcustomer_id,event_timestamp\r\n"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_spine_with_a_header_and_no_row_gives_a_header_and_no_row(store, tmp_path, content, ending):
    spine, out = tmp_path / "spine.csv", tmp_path / f"out.{ending}"
    spine.write_bytes(content)
    store.get_historical_features(spine, FEATURES).to_file(out)
    if ending == "csv":
        assert out.read_text() == '"customer_id","event_timestamp","payment_count_30d"\n'
    else:
        assert pq.read_table(out).num_rows == 0
        assert pq.read_table(out).column_names == ["customer_id", "event_timestamp", "payment_count_30d"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_spine_is_read_however_it_was_saved(store, tmp_path, encoding):
    spine = tmp_path / "spine.csv"
    spine.write_bytes("customer_id,snapshot_date,note\n1,2024-03-31,Größe\n".encode(encoding))
    rows = store.get_historical_features(spine, FEATURES).to_arrow()
    assert rows.column_names == ["customer_id", "snapshot_date", "note", "payment_count_30d"]
    assert rows["note"].to_pylist() == ["Größe"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"customer_id,snapshot_date\n1,2024-03-31\n2\n", "row 3, 1 fields where the header has 2"),
        (b"customer_id,snapshot_date,note\n1,2024-03-31,Gr\xf6\n", "column 'note' holds bytes that are no UTF-8"),
        (b"customer_id,Gr\xf6\n1,2\n", "CSV"),
    ],
)
def test_a_broken_spine_is_told_without_its_values(store, tmp_path, content, words):
    spine = tmp_path / "spine.csv"
    spine.write_bytes(content)
    with pytest.raises(UnreadableFile) as caught:
        store.get_historical_features(spine, FEATURES)
    assert words in caught.value.message
    assert "Ada" not in caught.value.message


@pytest.fixture(scope="module")
def manifest(store):
    rows = pa.table({"customer_id": [1, 2], "snapshot_date": [date(2024, 3, 31)] * 2})
    return store.get_historical_features(rows, FEATURES).persist("kept")


def changed(text: str, **values: object) -> str:
    return json.dumps({**json.loads(text), **values})


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-20],
        lambda text: "{" + "[" * 100_000,
        lambda text: "{}",
        lambda text: changed(text, version="0"),
        lambda text: changed(text, features="payment_count_30d"),
        lambda text: changed(text, tables={"payments": 3}),
        lambda text: changed(text, tables={"payments": [0]}),
        lambda text: changed(text, spine={"customer_id": "0" * 16}),
        lambda text: changed(text, result=None),
        lambda text: changed(text, extra=1),
        lambda text: json.dumps({k: v for k, v in json.loads(text).items() if k != "engine"}),
    ],
)
def test_a_damaged_manifest_is_told(store, manifest, damage):
    with pytest.raises(NotReproducible, match="the manifest is damaged: "):
        store.rebuild(damage(manifest.json()))


def test_a_manifest_that_names_a_table_outside_is_refused(store, manifest):
    with pytest.raises(TenureError):
        store.rebuild(changed(manifest.json(), name="../../elsewhere"))


def test_a_whole_manifest_is_parsed_and_rebuilt(store, manifest):
    assert Manifest.parse(manifest.json()) == manifest
    assert store.rebuild(manifest.json()).num_rows == 2


def test_rows_of_a_training_set_that_are_damaged_are_named(store, manifest):
    (file,) = store.work.lake.path("historical/kept").glob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    try:
        with pytest.raises(TenureError, match=file.name):
            store.rebuild("kept")
    finally:
        file.write_bytes(whole)


def test_keys_that_begin_like_a_formula_are_told_by_the_command(tmp_path):
    bank = write_tiny_bank(tmp_path / "bank")
    edit(bank / "sources.py", 'Column("customer_id", type="integer", role="key")', 'Column("customer_id", role="key")')
    assert tenure("staging", "--project", bank).returncode == 0
    (bank / "spine.csv").write_text("customer_id,snapshot_date\n-1,2024-03-31\n2,2024-03-31\n")
    done = tenure(
        "historical-features", "--project", bank, "--spine", bank / "spine.csv", "--features", FEATURES,
        "--out", bank / "out.csv", "--safe-csv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "1 of key 'customer_id', are written as they are" in done.stdout
    assert '"-1"' in (bank / "out.csv").read_text()
