"""The suppression list: keys typed as those staged, each once, and every mistake with its line and no key."""

import pyarrow as pa
import pytest

from tenure.define.raw_tables import Csv
from tenure.define.source import Column, Source
from tenure.errors import BadValue, MissingColumn, MissingFile, UnreadableFile
from tenure.session.suppressed import read_list

SOURCE = Source(
    "customers",
    read=Csv("customers.csv"),
    columns=[
        Column("customer_id", type="integer", role="key", raw="ID"),
        Column("branch", role="key"),
        Column("opened_on", type="date", role="time"),
    ],
    key=("customer_id", "branch"),
    event_time="opened_on",
)
NUMBERED = {"customer_id": pa.int64()}
NOT_WHOLE = "suppressed.csv, line 3: 'customer_id' can't be read as int64, the type of the staged key."
BOTH = {**NUMBERED, "branch": pa.string()}


def read(folder, text, types=NUMBERED):
    file = folder / "suppressed.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_list(file, SOURCE, types)


def test_keys_are_typed_and_each_is_there_once(tmp_path):
    found = read(tmp_path, "reason,customer_id\nasked, 7 \n,0012\n\nagain,7\n")
    assert sorted(found.rows["customer_id"].to_pylist()) == [7, 12]
    assert found.rows.schema.field("customer_id").type == pa.int64()


def test_a_key_of_several_columns_is_read_by_its_names_or_the_raw_ones(tmp_path):
    found = read(tmp_path, 'branch,ID\n"Oslo, east",7\nBergen,7\n', BOTH)
    assert {tuple(row.values()) for row in found.rows.to_pylist()} == {(7, "Oslo, east"), (7, "Bergen")}


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path):
    plain = read(tmp_path, "customer_id\n1\n2\n")
    assert read(tmp_path, b"\xef\xbb\xbfcustomer_id\r\n1\r\n2\r\n").digest == plain.digest


def test_the_digest_is_of_the_keys_in_any_order(tmp_path):
    first = read(tmp_path, "customer_id\n1\n2\n").digest
    assert read(tmp_path, "why,ID\nx,2\ny,1\nz,1\n").digest == first
    assert read(tmp_path, "customer_id\n1\n").digest != first
    assert read(tmp_path, "customer_id\n").digest != first


def test_an_empty_list_holds_nobody(tmp_path):
    assert read(tmp_path, "customer_id\n").rows.num_rows == 0


def test_a_list_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(MissingFile) as caught:
        read_list(tmp_path / "suppressed.csv", SOURCE, NUMBERED)
    assert caught.value.message == f"[suppress] path is '{tmp_path / 'suppressed.csv'}', and there is no such file."
    assert "leave [suppress] out" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "types", "error", "message"),
    [
        ("4711\n4712\n", NUMBERED, MissingColumn, "the first line of suppressed.csv names no column 'customer_id'."),
        ("", NUMBERED, MissingColumn, "the first line of suppressed.csv names no column 'customer_id'."),
        ("ID\n1\n4711x\n", NUMBERED, BadValue, NOT_WHOLE),
        ("ID,branch\n4711,\n", BOTH, BadValue, "suppressed.csv, line 2: a part of the key is empty."),
        ("ID,branch\n4711\n", BOTH, BadValue, "suppressed.csv, line 2: a part of the key is empty."),
        (b"ID\n1\n47\xff11\n", NUMBERED, UnreadableFile, "suppressed.csv, line 3: byte 0xff is not UTF-8."),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_without_a_key(tmp_path, text, types, error, message):
    with pytest.raises(error) as caught:
        read(tmp_path, text, types)
    assert caught.value.message == message
    assert "4711" not in caught.value.message + caught.value.hint
