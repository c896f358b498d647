"""Excel: cells as a workbook has them, of every format; what can't be meant is refused with sheet, row and column."""

from __future__ import annotations

import io
import sys
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter
from tiny_bank import SOURCES, write_tiny_bank
from workbooks import FORMATS, Error, xlsx

from tenure import Excel
from tenure.errors import (
    BadValue,
    EmptyTable,
    InvalidDefinition,
    MissingColumn,
    MissingDependency,
    UnreadableFile,
)
from tenure.intake.readers import readers_of
from tenure.session.work import Work
from tenure.stages.run import run

HEADER = ["customer_id", "region", "opened_on", "closed_on"]
OPENED = datetime(2023, 7, 1)
FIRST = [1, "North", OPENED, None]
SECOND = [2, "007", datetime(2023, 7, 2), datetime(2024, 1, 31)]


def excel_bank(folder, path="customers.xlsx", more=""):
    """The tiny bank with its customers in a workbook."""
    bank = write_tiny_bank(folder / "bank")
    sources = SOURCES.replace('Csv("customers.csv")', f'Excel("{path}"{more})').replace("import ", "import Excel, ")
    (bank / "sources.py").write_text(sources)
    (bank / "data" / "payments.csv").write_text("payment_id,customer_id,paid_on,amount\n1,1,2024-01-01,2.50\n")
    return bank


def work_on(bank, engine=None):
    work = Work.open(bank, engine=engine.dialect if engine else "")
    if engine:
        work.use_engine(engine)
    return work


def write(bank, *contents, ending="xlsx"):
    for number, content in enumerate(contents, 1):
        name = f"customers.{ending}" if len(contents) == 1 else f"customers-{number}.{ending}"
        (bank / "data" / name).write_bytes(content)


def landed(bank, *contents):
    """The rows of one workbook or several as they are landed, of what kinds they are."""
    write(bank, *contents)
    with work_on(bank) as work:
        (reader,) = readers_of(work, work.project.sources["customers"]).values()
        reader.land("customers")
        return pa.concat_tables([pq.read_table(file) for file in reader.landed(reader.landing)])


def sheet(*rows, name="Data"):
    return xlsx({name: rows})


def refused(bank, *contents, error=UnreadableFile):
    with pytest.raises(error) as caught:
        landed(bank, *contents)
    assert caught.value.hint
    assert not list((bank / "lake" / "landing").rglob("*.parquet")), "nothing half-landed stays"
    return caught.value.message


def staged(bank, engine=None):
    with work_on(bank, engine) as work:
        list(run(work, ("staging",)))
        rows = work.read("customers").sort_by("customer_id").to_pylist()
    return [tuple(row[name] and str(row[name]) for name in HEADER) for row in rows]


STAGED = [("1", "North", "2023-07-01", None), ("2", "007", "2023-07-02", "2024-01-31")]


# Landed as Parquet before an engine sees it: test_readers.py has one such file on Spark.
@pytest.mark.thorough_on_spark
@pytest.mark.parametrize("ending", FORMATS)
def test_every_format_is_staged_alike(engine, tmp_path, ending):
    bank = excel_bank(tmp_path, path=f"customers.{ending}", more=', sheet="Data"')
    write(bank, FORMATS[ending]({"Notes": [["nothing"]], "Data": [HEADER, FIRST, SECOND]}), ending=ending)
    assert staged(bank, engine) == STAGED


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["007", "8"], pa.string(), ["007", "8"]),
        ([1001, 2.0], pa.int64(), [1001, 2]),
        ([1001, 0.5], pa.float64(), [1001.0, 0.5]),
        ([2**53 + 2, 1], pa.float64(), [float(2**53 + 2), 1.0]),
        ([True, False], pa.bool_(), [True, False]),
        ([OPENED, None], pa.timestamp("us"), [OPENED, None]),
        ([1001, "n/a"], pa.string(), ["1001", "n/a"]),
        ([0.1, "007"], pa.string(), ["0.1", "007"]),
        ([True, 1], pa.string(), ["true", "1"]),
        ([OPENED, "01/07/2023"], pa.string(), ["2023-07-01", "01/07/2023"]),
        ([datetime(2023, 7, 1, 10, 30), 1.5], pa.string(), ["2023-07-01 10:30:00", "1.5"]),
        ([" ", 7], pa.int64(), [None, 7]),
        (["-", 7], pa.int64(), [None, 7]),
        ([-1, 7.5], pa.float64(), [None, 7.5]),
        ([None, " "], pa.string(), [None, None]),
    ],
)
def test_a_column_has_the_kind_of_its_cells(tmp_path, cells, kind, values):
    bank = excel_bank(tmp_path, more=', null=("-", "-1")')
    rows = landed(bank, sheet(["id", "cell"], *([n, cell] for n, cell in enumerate(cells, 1))))
    assert rows.schema.field("cell").type == kind
    assert rows["cell"].to_pylist() == values


def test_a_kind_is_that_of_all_files(tmp_path):
    bank = excel_bank(tmp_path, path="customers-*.xlsx")
    rows = landed(bank, sheet(["id", "code"], [1, 7]), sheet(["id", "code"], [2, "A"]), sheet(["id", "code"]))
    assert rows.to_pylist() == [{"id": 1, "code": "7"}, {"id": 2, "code": "A"}]


def bank_with_a_key_of_text(folder, key):
    bank = excel_bank(folder)
    text_key = (bank / "sources.py").read_text().replace('Column("customer_id", type="integer"', 'Column("customer_id"')
    (bank / "sources.py").write_text(text_key)
    write(bank, sheet(HEADER, FIRST, [key, *SECOND[1:]]))
    return bank


@pytest.mark.thorough_on_spark
def test_a_whole_number_of_a_key_is_whole(engine, tmp_path):
    assert [row[0] for row in staged(bank_with_a_key_of_text(tmp_path, 1001.0), engine)] == ["1", "1001"]


@pytest.mark.thorough_on_spark
@pytest.mark.parametrize("key", [1001.5, 2.0**53 + 2])
def test_a_number_of_a_key_that_may_be_another_is_refused(engine, tmp_path, key):
    with pytest.raises(BadValue, match=r"column 'customer_id'.*\(customers\.xlsx, sheet 'Data', row 3\)"):
        staged(bank_with_a_key_of_text(tmp_path, key), engine)


def test_a_bad_value_is_told_with_sheet_and_row(tmp_path):
    bank = excel_bank(tmp_path)
    write(bank, sheet(["Customers"], [], HEADER, FIRST, [2, "x", "2023-02-30", None]))
    (bank / "sources.py").write_text((bank / "sources.py").read_text().replace('.xlsx"', '.xlsx", header_row=3'))
    with pytest.raises(BadValue, match=r"not a date: 2023-02-30 \(customers\.xlsx, sheet 'Data', row 5\)"):
        staged(bank)


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("said", ["#N/A", "#REF!", "#DIV/0!"])
def test_an_error_cell_is_refused_with_sheet_row_and_column(tmp_path, ending, said):
    bank = excel_bank(tmp_path, path="customers.xlsx", more=', sheet="Data"')
    content = FORMATS[ending]({"Other": [[Error("#NUM!")]], "Data": [HEADER, FIRST, [2, Error(said), OPENED]]})
    assert refused(bank, content, error=BadValue) == (
        f"source 'customers': customers.xlsx, sheet 'Data', row 3, column 'region': the cell holds the error {said}."
    )


@pytest.mark.parametrize("ending", FORMATS)
def test_an_error_that_null_lists_is_null(tmp_path, ending):
    bank = excel_bank(tmp_path, more=', null=("#N/A",)')
    rows = landed(bank, FORMATS[ending]({"Data": [["id", "n"], [1, Error("#N/A")], [2, 7]]}))
    assert rows["n"].to_pylist() == [None, 7]


def test_an_error_above_the_header_is_passed_over_and_one_in_it_refused(tmp_path):
    bank = excel_bank(tmp_path, more=", header_row=2")
    assert landed(bank, sheet([Error("#N/A")], ["id"], [7]))["id"].to_pylist() == [7]
    bank = excel_bank(tmp_path / "other")
    assert "row 1, column B: the cell holds the error #N/A" in refused(
        bank, sheet(["id", Error("#N/A")], [7, 8]), error=BadValue
    )


def test_the_stored_value_of_a_formula_counts(tmp_path):
    written = io.BytesIO()
    with xlsxwriter.Workbook(written, {"in_memory": True}) as book:
        made = book.add_worksheet("Data")
        made.write_row(0, 0, ["n", "t"])
        made.write_formula(1, 0, "=1+1", None, 2)
        made.write_formula(1, 1, '="a"&"b"', None, "ab")
        made.write_formula(2, 0, '=""', None, "")
        made.write_string(2, 1, "#N/A")
    rows = landed(excel_bank(tmp_path), written.getvalue())
    assert rows.to_pylist() == [{"n": 2, "t": "ab"}, {"n": None, "t": "#N/A"}], "text that looks like an error is text"


def test_days_count_from_1904_where_a_workbook_says_so(tmp_path):
    written = io.BytesIO()
    with xlsxwriter.Workbook(written, {"in_memory": True, "date_1904": True}) as book:
        made = book.add_worksheet("Data")
        made.write_string(0, 0, "day")
        made.write_datetime(1, 0, OPENED, book.add_format({"num_format": "yyyy-mm-dd"}))
    assert landed(excel_bank(tmp_path), written.getvalue())["day"].to_pylist() == [OPENED]


def with_merged(*ranges, rows=((1, 10), (2, 20), (3, 30))):
    written = io.BytesIO()
    with xlsxwriter.Workbook(written, {"in_memory": True}) as book:
        made = book.add_worksheet("Data")
        for number, row in enumerate((("id", "n"), *rows)):
            made.write_row(number, 0, row)
        for place in ranges:
            made.merge_range(place, "merged")
    return written.getvalue()


def test_empty_rows_and_remarks_at_the_end_are_passed_over(tmp_path):
    bank = excel_bank(tmp_path)
    assert landed(bank, with_merged("A6:B6", "A8:B9"))["id"].to_pylist() == [1, 2, 3]
    assert landed(bank, sheet(["id", "n"], [1, 10], [], [None, " "], [2, 20], [], []))["id"].to_pylist() == [1, 2]


@pytest.mark.parametrize(("place", "row"), [("A2:A3", 2), ("B3:B4", 3), ("A3:B3", 3)])
def test_merged_cells_among_the_rows_are_refused(tmp_path, place, row):
    message = refused(excel_bank(tmp_path), with_merged(place))
    assert message == (
        f"customers.xlsx, sheet 'Data', row {row}: the cells {place} are merged, so that only the first has a value."
    )


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "row 1: the header has no columns."),
        ([["", ""], [1, 2]], "row 1: the header has no columns."),
        ([["a", "b", "a"], [1, 2, 3]], "row 1: the header has a column twice."),
        ([["a", "A"], [1, 2]], "row 1: the header has a column twice."),
        ([["a", None, "c"], [1, 2, 3]], "row 1: column B has no name."),
        ([["a", "b"], [1, 2, 3]], "row 1: column C has no name."),
    ],
)
def test_a_header_that_is_none_is_refused(tmp_path, rows, words):
    assert refused(excel_bank(tmp_path), sheet(*rows)) == f"customers.xlsx, sheet 'Data', {words}"


def test_a_header_without_rows_is_an_empty_table(tmp_path):
    message = refused(excel_bank(tmp_path), sheet(HEADER, []), error=EmptyTable)
    assert message == "source 'customers' has no rows (customers.xlsx)."


def test_files_of_another_header_are_refused(tmp_path):
    bank = excel_bank(tmp_path, path="customers-*.xlsx")
    message = refused(bank, sheet(["id", "n"], [1, 2]), sheet(["id"], [1]), error=MissingColumn)
    assert message.startswith("file 2 of 2 that match 'customers-*.xlsx', sheet 'Data', row 1: 1 columns, of which")


def test_a_missing_column_is_named_with_those_there(tmp_path):
    bank = excel_bank(tmp_path)
    write(bank, sheet(["customer_id", "area"], [1, "North"]))
    with pytest.raises(
        MissingColumn, match=r"reads column 'region', which its data lack; they have: area, customer_id"
    ):
        staged(bank)


def test_a_sheet_that_is_not_there_is_told_with_those_that_are(tmp_path):
    bank = excel_bank(tmp_path, more=', sheet="Dta"')
    message = refused(bank, xlsx({"Data": [["a"], [1]], "Notes": []}))
    assert message == "customers.xlsx has no sheet 'Dta'; its sheets: Data, Notes."


def test_of_several_sheets_none_is_guessed(tmp_path):
    message = refused(excel_bank(tmp_path), xlsx({"Data": [["a"], [1]], "Notes": []}))
    assert message == "customers.xlsx has 2 sheets, and which is meant is not said; its sheets: Data, Notes."


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", sheet(["a"], [1])[:-30]])
def test_what_is_no_workbook_is_refused(tmp_path, content):
    message = refused(excel_bank(tmp_path), content)
    assert (
        message == "customers.xlsx is no workbook that can be read, or is cut off; allowed: .xlsx, .xlsb, .xls, .ods."
    )


def test_a_workbook_is_not_landed_again_unless_what_is_read_of_it_changed(tmp_path):
    bank = excel_bank(tmp_path)
    content = sheet(["id", "n"], ["x", 7], [1, 7])

    def landings():
        return {file: file.stat().st_mtime_ns for file in (bank / "lake" / "landing").rglob("*.parquet")}

    landed(bank, content)
    first = landings()
    landed(bank, content)
    assert landings() == first
    (bank / "sources.py").write_text((bank / "sources.py").read_text().replace('.xlsx"', '.xlsx", null=("x",)'))
    assert landed(bank, content)["id"].to_pylist() == [None, 1]
    assert landings().keys() != first.keys()


def test_a_missing_package_is_told_with_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    bank = excel_bank(tmp_path)
    write(bank, sheet(["a"], [1]))
    with pytest.raises(
        MissingDependency, match="source 'customers' reads a workbook, which needs python-calamine"
    ) as e:
        staged(bank)
    assert "pip install '.[excel]'" in e.value.hint


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"path": ""}, "has path=''"),
        ({"sheet": 1}, "has sheet=1.*allowed: text"),
        ({"header_row": 0}, "has header_row=0.*allowed: a whole number, 1 to 1048576"),
        ({"header_row": True}, "has header_row=True"),
        ({"null": "#N/A"}, "has null='#N/A'"),
    ],
)
def test_what_no_workbook_is_read_by_is_refused_where_it_is_defined(fields, words):
    with pytest.raises(InvalidDefinition, match=words):
        Excel(**{"path": "a.xlsx", **fields})
