"""JSON lines: every value lands as its own text, and what is no flat object a line is refused with its line."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_bank import SOURCES, write_tiny_bank

from tenure.define.raw_tables import JsonLines
from tenure.errors import BadValue, EmptyTable, MissingColumn, UnreadableFile
from tenure.intake.readers import json_lines, readers_of
from tenure.intake.staging import staging
from tenure.session.work import Work


@pytest.fixture
def bank(tmp_path):
    return json_bank(tmp_path)


def json_bank(folder, path="customers.jsonl", columns=""):
    """The tiny bank with its customers in JSON lines."""
    bank = write_tiny_bank(folder / "bank")
    sources = SOURCES.replace('Csv("customers.csv")', f'JsonLines("{path}")').replace("import ", "import JsonLines, ")
    (bank / "sources.py").write_text(sources.replace('        Column("region"', f'{columns}        Column("region"'))
    return bank


def work_on(bank, engine=None):
    work = Work.open(bank, engine=engine.dialect if engine else "")
    if engine:
        work.use_engine(engine)
    return work


def landed(bank, *contents, engine=None):
    """The rows of one file or several, as the engine has them, in the order of the files."""
    for number, content in enumerate(contents, 1):
        name = "customers.jsonl" if len(contents) == 1 else f"customers-{number}.jsonl"
        (bank / "data" / name).write_bytes(content.encode() if isinstance(content, str) else content)
    with work_on(bank, engine) as work:
        (reader,) = readers_of(work, work.project.sources["customers"]).values()
        kinds = reader.land("customers")
        assert set(kinds.values()) == {"text"}
        return work.engine.run("SELECT * FROM customers").to_pylist()


def refused(bank, *contents, error=UnreadableFile):
    with pytest.raises(error) as caught:
        landed(bank, *contents)
    assert caught.value.hint
    assert not list((bank / "lake" / "landing").rglob("*.parquet")), "nothing half-landed stays"
    return caught.value.message


def test_every_value_lands_as_its_own_text(engine, bank):
    line = (
        '{"a": 0.10, "b": 12345678901234567890, "c": 1e3, "d": -0, "e": true, "f": false, "g": null, '
        '"h": "0.10", "i": "\\ud83c\\udfe6 \\u005a", "j": " two\\nlines ", "k": 1E+400, '
        '"l": "", "m": -0.0, "n": "\\u0000"}'
    )
    assert landed(bank, line, engine=engine) == [
        {
            "a": "0.10",
            "b": "12345678901234567890",
            "c": "1e3",
            "d": "-0",
            "e": "true",
            "f": "false",
            "g": None,
            "h": "0.10",
            "i": "🏦 Z",
            "j": " two\nlines ",
            "k": "1E+400",
            "l": "",
            "m": "-0.0",
            "n": "\0",
        }
    ]


def test_keys_go_in_any_order_and_those_that_a_line_lacks_are_null(engine, bank):
    lines = '{"a": 1, "b": 2}\n{"b": 3, "a": 4}\n\n   \n{"a": 5}\r\n{"c": 6}\n{}\n'
    rows = landed(bank, lines, engine=engine)
    assert sorted(rows, key=str) == sorted(
        [
            {"a": "1", "b": "2", "c": None},
            {"a": "4", "b": "3", "c": None},
            {"a": "5", "b": None, "c": None},
            {"a": None, "b": None, "c": "6"},
            {"a": None, "b": None, "c": None},
        ],
        key=str,
    )


def test_keys_may_be_any_name_of_a_column(engine, bank):
    assert landed(bank, '{"Amount (USD)": 1, "a.b": 2, "Straße": 3, "x=y,z": 4}', engine=engine) == [
        {"Amount (USD)": "1", "a.b": "2", "Straße": "3", "x=y,z": "4"}
    ]


def test_keys_of_later_batches_become_columns_of_all_rows(engine, bank, monkeypatch):
    monkeypatch.setattr(json_lines, "_ROWS", 10)
    lines = [json.dumps({"id": n, **({"late": n} if n > 24 else {})}) for n in range(35)]
    rows = sorted(landed(bank, "\n".join(lines), engine=engine), key=lambda row: int(row["id"]))
    assert [row["late"] for row in rows] == [None] * 25 + [str(n) for n in range(25, 35)]
    parts = sorted((bank / "lake" / "landing").rglob("*.parquet"))
    assert [pq.read_metadata(part).num_rows for part in parts] == [20, 15], "a wider batch begins a new file"


def test_a_byte_order_mark_begins_a_file_and_stands_nowhere_else(bank):
    assert landed(bank, '\ufeff{"a": 1}\n') == [{"a": "1"}]
    message = refused(json_bank(bank / "other"), '{"a": 1}\n\ufeff{"a": 2}\n')
    assert message.startswith("customers.jsonl, line 2: a byte order mark where no file begins")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"a": {"b": 1}}', "the key 'a' holds an object, where a text or a number is wanted"),
        ('{"a": [1, 2]}', "the key 'a' holds an array, where a text or a number is wanted"),
        ('{"a": []}', "the key 'a' holds an array"),
        ('{"a": 1, "b": 2, "a": 1}', "the key 'a' stands twice in one object"),
        ('{"a": 1,}', "not JSON: "),
        ("{'a': 1}", "not JSON: "),
        ("a,b", "not JSON: "),
        ('{"a": 1} {"a": 2}', "not JSON: Extra data at character 10"),
        ('{"a": 01}', "not JSON: "),
        ('{"a": "one\ttab"}', "not JSON: Invalid control character"),
        ('{"a": NaN}', "NaN is no value of JSON"),
        ('{"a": -Infinity}', "-Infinity is no value of JSON"),
        ("[1]", "an array, where an object is wanted"),
        ("17", "one value, where an object is wanted"),
        ("null", "one value, where an object is wanted"),
        ('{"": 1}', "the key '' is no name of a column"),
        ('{"A": 1}', "the key 'A' differs from the key 'a', above it, in case alone"),
        ('{"a": "\\ud83d"}', "the key 'a' holds half of a surrogate pair"),
        ('{"a": ' + "[" * 100_000 + "}", "arrays or objects in one another without end"),
        ('{"jan.novak@example.com": []}', "the key of the shape xxx.xxxxx@xxxxxxx.xxx (21 characters) holds an array"),
    ],
)
def test_what_is_no_flat_object_is_refused_with_its_line(bank, line, told):
    message = refused(bank, f'{{"a": 0}}\n\n{line}\n{{"a": 1}}\n')
    assert message.startswith("customers.jsonl, line 3: "), message
    assert told in message, message


@pytest.mark.parametrize("cut", ['{"a": 1, "b', '{"a": 1', '{"a": "on', "{", '{"a":', '{"a": tru'])
def test_a_last_line_that_is_cut_off_is_refused_and_a_whole_one_needs_no_line_break(bank, cut):
    message = refused(bank, '{"a": 0}\n' + cut)
    assert message.startswith("customers.jsonl, line 2: ")
    assert landed(json_bank(bank / "other"), '{"a": 0}\n{"a": 1}') == [{"a": "0"}, {"a": "1"}]


@pytest.mark.parametrize("content", [b'{"a": 0}\n{"a": "Zo\xeb"}\n', b'{"a": 0}\n{"a": "\xed\xa0\x80"}\n'])
def test_bytes_that_are_not_utf_8_are_refused_with_their_line(bank, content):
    assert refused(bank, content).startswith("customers.jsonl, line 2: not UTF-8: ")


def test_utf_16_and_gzip_are_refused_by_name(bank):
    assert refused(bank, '{"a": 1}'.encode("utf-16")).startswith("customers.jsonl, line 1: not UTF-8")
    assert refused(bank, b"\x1f\x8b\x08\x00more").startswith("customers.jsonl was compressed with gzip, and is cut off")


def test_a_line_without_end_is_refused_before_it_fills_the_memory(bank, monkeypatch):
    monkeypatch.setattr(json_lines, "_LONGEST_LINE", 2**20)
    message = refused(bank, '{"a": 1}\n{"a": "' + "x" * 2**20 + '"}')
    assert message == "customers.jsonl, line 2: the line is longer than 1 MiB; has the file no line breaks."


def test_a_text_of_two_million_letters_is_landed_whole(engine, bank):
    assert landed(bank, json.dumps({"a": "x" * 2_300_000}), engine=engine) == [{"a": "x" * 2_300_000}]


def test_objects_whose_keys_are_values_are_refused(bank, monkeypatch):
    monkeypatch.setattr(json_lines, "_MOST_KEYS", 100)
    message = refused(bank, "\n".join(f'{{"C{n}": 1}}' for n in range(200)))
    assert message.startswith("customers.jsonl, line 101: with it the file has more than 100 keys")


@pytest.mark.parametrize("content", ["", "\n \n", "{}\n{}\n"])
def test_files_without_a_key_have_no_rows(bank, content):
    assert refused(bank, content, error=EmptyTable) == "source 'customers' has no rows (customers.jsonl)."


def test_files_of_one_path_have_the_same_keys_as_those_of_a_csv_have_one_header(tmp_path):
    bank = json_bank(tmp_path / "1", "customers-*.jsonl")
    assert landed(bank, '{"a": 1}\n{"b": 2}', "", '{"b": 3, "a": 4}') == [
        {"a": "1", "b": None},
        {"a": None, "b": "2"},
        {"a": "4", "b": "3"},
    ]
    bank = json_bank(tmp_path / "2", "customers-*.jsonl")
    appeared = refused(bank, '{"a": 1}', '{"a": 2}\n{"a": 3, "b": 4}', error=MissingColumn)
    assert appeared == (
        "file 2 of 2 that match 'customers-*.jsonl', line 2: the key 'b' stands nowhere in the first of these files."
    )
    bank = json_bank(tmp_path / "3", "customers-*.jsonl")
    gone = refused(bank, '{"a": 1, "b": 2}', '{"a": 2}', error=MissingColumn)
    assert gone == (
        "file 2 of 2 that match 'customers-*.jsonl': no line has the key 'b', which the first of these files has."
    )


def test_rows_that_were_landed_of_the_same_files_are_not_read_again(bank, monkeypatch):
    first = landed(bank, '{"a": 1}\n')
    (part,) = (bank / "lake" / "landing").rglob("*.parquet")
    written = part.stat().st_mtime_ns
    assert landed(bank, '{"a": 1}\n') == first
    assert part.stat().st_mtime_ns == written
    assert landed(bank, '{"a": 2}\n') == [{"a": "2"}]
    assert not part.exists(), "rows of other contents do not stay"


def test_a_file_that_changes_while_it_is_read_is_refused(bank, monkeypatch):
    file = bank / "data" / "customers.jsonl"
    close = json_lines._Writer._close

    def changed_meanwhile(landing):
        file.write_text('{"a": 2}\n{"a": 3}\n')
        close(landing)

    monkeypatch.setattr(json_lines._Writer, "_close", changed_meanwhile)
    assert refused(bank, '{"a": 1}\n') == "customers.jsonl changed while it was read."


# Landed as Parquet before an engine sees it: test_readers.py has one such file on Spark.
@pytest.mark.thorough_on_spark
def test_json_lines_are_staged_like_the_csv_of_the_same_rows(engine, tmp_path):
    by_csv, by_json = write_tiny_bank(tmp_path / "csv"), json_bank(tmp_path / "json")
    header, *rows = (by_csv / "data" / "customers.csv").read_text().splitlines()
    names = header.split(",")
    objects = [dict(zip(names, row.split(","), strict=True)) for row in rows]
    lines = [{**row, "customer_id": int(row["customer_id"]), "closed_on": row["closed_on"] or None} for row in objects]
    (by_json / "data" / "customers.jsonl").write_text("\n".join(map(json.dumps, lines)))
    staged = []
    for bank in (by_csv, by_json):
        work = work_on(bank, engine)
        staging(work)
        staged.append(work.read("customers").sort_by("customer_id").to_pylist())
    assert staged[0] == staged[1]
    assert len(staged[0]) == 40


def test_a_fraction_in_a_column_of_integers_is_told_with_its_line(bank):
    row = '{{"customer_id": {}, "region": "north", "opened_on": "2024-01-0{}", "closed_on": null}}\n'
    content = row.format(1, 1) + row.format("2.0", 2) + row.format("3.5", 3)
    (bank / "data" / "customers.jsonl").write_text(content)
    with work_on(bank) as work, pytest.raises(BadValue) as caught:
        staging(work)
    assert "column 'customer_id': not a plain integer: 3.5 (customers.jsonl, line 3)" in caught.value.message


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    rows=st.lists(
        st.dictionaries(
            st.sampled_from("abcd"),
            st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False, allow_infinity=False) | st.text(),
            min_size=1,
        ),
        min_size=1,
        max_size=6,
    )
)
def test_texts_survive_any_way_of_writing_them(rows):
    def spelled(value):
        return json.dumps(value) if value is None or isinstance(value, str | bool) else str(value).lower()

    def text(value):
        return value if value is None or isinstance(value, str) else str(value).lower()

    for row in rows:
        line = "{" + ", ".join(f"{json.dumps(key)}: {spelled(value)}" for key, value in row.items()) + "}"
        assert json_lines._cells(line + "\n") == {key: text(value) for key, value in row.items()}


def test_the_definition_is_plain():
    assert JsonLines("a.jsonl", null=["?"]).null == ("?",)
    assert JsonLines("a.jsonl").place == "a.jsonl"
