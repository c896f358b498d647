"""What `tenure check` and staging propose where one spelling explains the values that are refused: the right cure."""

from collections import Counter

import pytest
from stages.runs import edit
from tiny_bank import write_tiny_bank

from tenure import Column
from tenure.catalog.check import check
from tenure.errors import BadValue, UnreadableFile
from tenure.intake.cures import spelling
from tenure.session.work import Work
from tenure.stages.run import run


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def checked(bank):
    with Work.open(bank) as work:
        return {one.subject: one.message for one in check(work)}


def rewrite(bank, name, column, make):
    """Write each value of a column anew, by its number and what it was."""
    file = bank / "data" / f"{name}.csv"
    header, *rows = file.read_text().splitlines()
    place = header.split(",").index(column)
    made = []
    for number, row in enumerate(rows):
        cells = row.split(",")
        cells[place] = make(number, cells[place])
        made.append(",".join(cells))
    file.write_text("\n".join([header, *made]) + "\n")


def european(text):
    whole, _, places = f"{float(text):,.2f}".partition(".")
    return f'"{whole.replace(",", ".")},{places}"'


def day_first(text):
    return "/".join(reversed(text.split("-")))


CURES = [
    ("amount", lambda n, x: european(x), "Column('amount', decimal=',')"),
    ("amount", lambda n, x: european(str(float(x) + 12345)), "Column('amount', decimal=',', thousands='.')"),
    ("amount", lambda n, x: f"({x})" if n % 2 else f"${x}", "Column('amount', currency='$')"),
    ("amount", lambda n, x: "N/A" if n % 7 == 0 else x, "Column('amount', null=['N/A'])"),
    ("amount", lambda n, x: "gone" if n % 7 == 0 else x, "Column('amount', null=['gone'])"),
    ("paid_on", lambda n, x: day_first(x), "Column('paid_on', type='date', format=['%Y-%m-%d', '%d/%m/%Y'])"),
    ("paid_on", lambda n, x: x.replace("-", ""), "Column('paid_on', type='date', format=['%Y-%m-%d', '%Y%m%d'])"),
]  # fmt: skip


@pytest.mark.parametrize(("column", "make", "right"), CURES)
def test_the_cure_is_proposed_by_check_and_by_staging_and_it_is_the_right_one(bank, column, make, right):
    rewrite(bank, "payments", column, make)
    with pytest.raises(BadValue, match=f"column '{column}'") as refused:
        checked(bank)
    assert right in refused.value.hint
    with pytest.raises(BadValue) as refused, Work.open(bank) as work:
        list(run(work, ("staging",)))
    assert right in refused.value.hint
    declared = next(line for line in (bank / "sources.py").read_text().splitlines() if f'Column("{column}"' in line)
    more = right.removeprefix(f"Column('{column}', ").removeprefix("type='date', ")
    edit(bank / "sources.py", declared, f"{declared.rstrip().removesuffix(',').removesuffix(')')}, {more},")
    assert "rows read" in checked(bank)["source payments"]


def test_rows_at_the_tail_and_in_the_middle_are_read_too(bank):
    file = bank / "data" / "payments.csv"
    header, *rows = file.read_text().splitlines()
    many = [row.split(",") for row in rows] * (60_000 // len(rows))
    lines = [",".join([str(number), *row[1:]]) for number, row in enumerate(many)]
    lines[-1] = lines[-1].rsplit(",", 1)[0] + ",much"
    file.write_text("\n".join([header, *lines]) + "\n")
    with pytest.raises(BadValue, match=r"column 'amount': not a decimal: much"):
        checked(bank)


def test_what_is_allowed_to_be_set_aside_is_no_error(bank):
    rewrite(bank, "payments", "amount", lambda number, text: "much" if number == 3 else text)
    edit(bank / "sources.py", '    "payments",\n', '    "payments",\n    quarantine=0.5,\n')
    assert "rows read" in checked(bank)["source payments"]


def test_bytes_that_are_no_utf_8_are_named_with_the_encoding_to_try(bank):
    file = bank / "data" / "customers.csv"
    file.write_bytes(file.read_bytes() + b"990,caf\xe9,2024-01-01,\n")
    with pytest.raises(UnreadableFile, match=r"no UTF-8|is not utf-8") as refused:
        checked(bank)
    assert "encoding='latin-1'" in refused.value.hint


@pytest.mark.parametrize(
    ("column", "failed", "right"),
    [
        (Column("born", type="date", role="pii"), {"secret": 9}, ""),
        (Column("n", type="integer"), {"1,234": 3, "5,678": 2, "12,345,678": 1}, "Column('n', thousands=',')"),
        (Column("n", type="integer"), {"1.5": 3, "2.5": 2}, "Column('n', type='decimal')"),
        (Column("seen", type="timestamp"), {"31.12.2024 10:15": 4},
         "Column('seen', type='timestamp', format=['%d.%m.%Y %H:%M'])"),
        (Column("d", type="date"), {"00/00/0000": 4, "31/12/2024": 8},
         "Column('d', type='date', format=['%Y-%m-%d', '%d/%m/%Y'], null=['00/00/0000'])"),
        (Column("n", type="decimal"), {"x1": 3, "y2": 3, "z3": 3}, ""),
        (Column("n", type="decimal"), {"12345678901234567.5": 3, "-99999999999999999": 1},
         "Column('n', type='decimal', precision=20, scale=2)"),
        (Column("n", type="decimal", decimal=",", thousands=".", scale=4), {"100.000.000.000.000,12345": 3},
         "Column('n', type='decimal', precision=20, scale=4)"),
        (Column("n", type="decimal", precision=38, scale=4), {"9" * 35: 3}, "Column('n', type='float')"),
        (Column("b", type="boolean"), {"?": 3}, "Column('b', null=['?'])"),
        (Column("n", type="decimal", null=["x"]), {"?": 3}, "Column('n', null=['x', '?'])"),
    ],
)  # fmt: skip
def test_a_spelling_is_what_explains_what_failed_and_else_nothing(column, failed, right):
    assert spelling(column, Counter(failed), personal=column.role == "pii") == right
