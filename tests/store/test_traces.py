"""Traces of a customer are found in every kind of file, decoded; and nobody else is taken for one."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tenure.store.traces import Sought

TEXT = Sought(("person",), (("P-13",),), (False,))
NUMBER = Sought(("person",), (("13",),), (True,))
PAIR = Sought(("branch", "number"), (("north", "2"),), (False, True), {("account",): {("77",)}})


def write(folder, name, content):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, pa.Table):
        pq.write_table(content, file)
    else:
        file.write_text(content)
    return file


def commit(**stats):
    return json.dumps({"add": {"path": "part.parquet", "stats": json.dumps(stats)}}) + "\n"


@pytest.mark.parametrize(
    ("sought", "name", "content"),
    [
        (TEXT, "a.parquet", pa.table({"person": ["P-12", " P-13 "]})),
        (TEXT, "a.parquet", pa.table({"note": ["see P-13."]})),
        (TEXT, "a.parquet", pa.table({"note": [["x", "P-13"]]})),
        (TEXT, "a.parquet", pa.table({"n": [1]}).replace_schema_metadata({"by": "P-13"})),
        (TEXT, "a.csv", "person,score\nP-13,1\n"),
        (TEXT, "a.csv", "whose,score\nP-13,1\n"),
        (TEXT, "a.html", "<td>P-13</td>"),
        (TEXT, "a.bin", "\0P-13\0"),
        (TEXT, "_delta_log/0.json", commit(minValues={"person": "P-13"})),
        (NUMBER, "a.parquet", pa.table({"person": [12, 13]})),
        (NUMBER, "a.parquet", pa.table({"person": pa.array([13], pa.int8())})),
        (NUMBER, "a.parquet", pa.table({"person": ["13.0"]})),
        (NUMBER, "a.parquet", pa.table({"finding": ["gone, such as person=13"]})),
        (NUMBER, "a.csv", "score,person\n1,13\n"),
        (NUMBER, "a.html", "<td> 13 </td>"),
        (NUMBER, "a.json", json.dumps({"person": 13})),
        (NUMBER, "a.log", "row person='13'"),
        (NUMBER, "_delta_log/0.json", commit(maxValues={"person": 13})),
        (PAIR, "a.parquet", pa.table({"branch": ["north"], "number": [2]})),
        (PAIR, "a.parquet", pa.table({"account": [77], "day": [1]})),
        (PAIR, "a.json", json.dumps({"branch": "north", "number": 2})),
        (PAIR, "a.log", "row branch=north, number=2"),
    ],
)
def test_a_trace_is_found(tmp_path, sought, name, content):
    assert sought.in_file(write(tmp_path, name, content))


@pytest.mark.parametrize(
    ("sought", "name", "content"),
    [
        (TEXT, "a.parquet", pa.table({"person": ["P-130", "XP-13"]})),
        (TEXT, "a.html", "<td>P-131</td>"),
        (NUMBER, "a.parquet", pa.table({"person": [130], "amount": [13]})),
        (NUMBER, "a.parquet", pa.table({"person": ["013", "13.5", "-13"]})),
        (NUMBER, "a.csv", "person,score\n130,13\n"),
        (NUMBER, "a.log", "person=130, person=13.5, 13 rows"),
        (NUMBER, "_delta_log/0.json", commit(numRecords=13, maxValues={"person": 12})),
        (PAIR, "a.parquet", pa.table({"branch": ["north", "south"], "number": [1, 2]})),
        (PAIR, "a.parquet", pa.table({"branch": ["north"], "number": [1], "account": [77]})),
        (PAIR, "a.log", "row branch=north, number=21"),
    ],
)
def test_another_customer_is_no_trace(tmp_path, sought, name, content):
    assert not sought.in_file(write(tmp_path, name, content))


def test_the_statistics_of_a_file_are_a_trace_though_no_row_is(tmp_path):
    file = write(tmp_path, "a.parquet", pa.table({"person": ["P-12"]}))
    content = file.read_bytes()
    # In plain encoding the row lies before the footer: the footer alone tells of P-13.
    place = content.rindex(b"P-12")
    file.write_bytes(content[:place] + b"P-13" + content[place + 4 :])
    assert pq.read_table(file)["person"].to_pylist() == ["P-12"]
    assert TEXT.in_file(file)


def test_rows_go_and_texts_lose_the_name(tmp_path):
    rows = pa.table({"person": [12, 13], "finding": ["person=13 and person=14", "x"]})
    assert NUMBER.without(rows).to_pylist() == [{"person": 12, "finding": "person=(forgotten) and person=14"}]
    assert NUMBER.without(pa.table({"person": [12], "finding": [None]})) is None


def test_json_stays_json():
    text = json.dumps({"person": 13, "more": "person=13", "rows": 13})
    assert json.loads(NUMBER.text_without(text)) == {"person": None, "more": "person=(forgotten)", "rows": 13}
    assert json.loads(TEXT.text_without(json.dumps({"person": "P-13"}))) == {"person": "(forgotten)"}


def test_other_lines_of_a_csv_stay_to_the_byte():
    text = 'person,note\r\n13,"two\r\nlines"\r\n14,"a ""b"""\r\n'
    assert NUMBER.csv_without(text) == 'person,note\r\n14,"a ""b"""\r\n'
