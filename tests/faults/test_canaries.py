"""Planted values: no secret and no personal value leaves staging, quarantine, landing and spill.

Every personal value of the bank below holds 'Qzx', as do the names of its files; what a verb prints, the ledger, the
report, the list and every other table are searched for it.
"""

import csv
import re
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from canaries import command, leaks_in_files, leaks_in_text
from tiny_bank import FIRST_DAY, LAST_DAY, with_train, write_tiny_bank

from tenure.session.work import Work

CANARIES = ("Qzx", "1931-07-23", "datetime.date(1931, 7, 23)", "23.07.1931")

#: Where rows of the raw data lie, for their owner alone.
OWN = ("lake/staging/", "lake/quarantine/", "lake/landing/", "lake/spill", "lake/.spill", "data/", "spines/")

SOURCES = """
from tenure import Column, Csv, Entity, Parquet, Source

customer = Entity("customer", key="customer_id", source="customers")

customers = Source(
    "customers",
    read=Csv("people/*.csv"),
    key="customer_id",
    event_time="opened_on",
    ends="closed_on",
    columns=[
        Column("customer_id", {key}),
        Column("full_name", role="pii"),
        Column("born_on", type="date", role="pii"),
        Column("region"),
        Column("opened_on", type="date", role="time"),
        Column("closed_on", type="date", role="time"),
    ],
)

payments = Source(
    "payments",
    read={{"paid": Csv("payments.csv")}},
    select="SELECT *, LENGTH(counterparty) AS party_length FROM paid WHERE counterparty IS NOT NULL",
    key="payment_ref",
    event_time="paid_on",
    columns=[
        Column("payment_ref", role="pii"),
        Column("customer_id", {key}),
        Column("paid_on", type="date", role="time"),
        Column("amount", type="decimal", unit="USD"),
        Column("counterparty", role="pii"),
        Column("party_length", type="integer"),
    ],
)
"""

FEATURES = """
from tenure import Aggregate, Attribute, FeatureView, days

who = FeatureView("who", source="customers", features=[
    Attribute("region", of="region", doc="Region"),
    Attribute("age", of="born_on", how="years_since", unit="years", doc="Age"),
])
paid = FeatureView("paid", source="payments", features=[
    Aggregate("payment", how=("count", "days_since_last"), windows=days(30, 90), doc="Payments"),
    Aggregate("amount", of="amount", how=("sum", "mean"), windows=days(30, 90), unit="USD", doc="Amount paid"),
    Aggregate("party", of="party_length", how="mean", windows=days(90), doc="Length of a name",
        where="party_length > 3"),
])
"""

NUMBER, PERSONAL = 'type="integer", role="key"', 'role="pii"'
PEOPLE = ("customer_id", "full_name", "born_on", "region", "opened_on", "closed_on")
PAID = ("payment_ref", "customer_id", "paid_on", "amount", "counterparty")


def write(file, rows):
    file.parent.mkdir(exist_ok=True)
    with file.open("w", newline="") as lines:
        csv.writer(lines).writerows(rows)


def write_canary_bank(folder, *, key=NUMBER, customers=120):
    """Write a bank of so many customers, every third of whom stops paying; a `PERSONAL` key holds a canary too."""
    write_tiny_bank(folder)
    for file in ("customers.csv", "payments.csv"):
        (folder / "data" / file).unlink()
    (folder / "sources.py").write_text(SOURCES.format(key=key))
    (folder / "features" / "paid.py").write_text(FEATURES)
    toml = folder / "tenure.toml"
    toml.write_text(with_train(toml.read_text(), "trials = 1") + "\n[verify]\ncustomers = 5\n")
    names = [f"Qzxkey{n}" if key == PERSONAL else n for n in range(customers)]
    people = [
        (name, f"Qzxname {n}", "1931-07-23", ("north", "south")[n % 2], FIRST_DAY, "") for n, name in enumerate(names)
    ]
    half = customers // 2
    write(folder / "data" / "people" / "Qzxfile-Novák.csv", [PEOPLE, *people[:half]])
    write(folder / "data" / "people" / "Qzxfile-Olsen.csv", [PEOPLE, *people[half:]])
    stops = {n: FIRST_DAY + timedelta(days=200 + n * 7 % 160) if n % 3 == 0 else LAST_DAY for n in range(customers)}
    paid = [
        (names[n], FIRST_DAY + timedelta(days=step), 10 + n % 90, f"Qzxparty {n % 7}")
        for n in range(customers)
        for step in range(3 + n % 9, 366, 9)
        if FIRST_DAY + timedelta(days=step) <= stops[n]
    ]
    write(folder / "data" / "payments.csv", [PAID, *((f"Qzxref-{n}", *row) for n, row in enumerate(paid))])
    return folder


@pytest.fixture
def tenure(capfd, monkeypatch):
    """Run the command on a project; return its exit code and all that it printed, which holds no canary."""

    def ran(bank, *arguments):
        code, printed = command(capfd, monkeypatch, *arguments, "--project", str(bank))
        assert not leaks_in_text(printed, CANARIES), (arguments, printed)
        return code, printed

    return ran


@pytest.mark.slow
@pytest.mark.parametrize("key", [NUMBER, PERSONAL])
def test_no_verb_prints_or_writes_a_personal_value(tmp_path, tenure, key):
    bank = write_canary_bank(tmp_path / "bank", key=key)
    lines = (bank / "data" / "payments.csv").read_text().splitlines()
    spoiled = [*lines, lines[5] + "x", re.sub(",[^,]*,Qzx", ",Qzxbad,Qzx", lines[6])]
    (bank / "data" / "payments.csv").write_text("\n".join(spoiled) + "\n")
    sources = (bank / "sources.py").read_text()
    (bank / "sources.py").write_text(sources.replace('key="payment_ref"', 'key="payment_ref",\n    quarantine=0.01'))
    assert tenure(bank, "run")[0] == 0
    assert tenure(bank, "run", "--json")[0] == 0
    for verb in ("check", "check --json", "status", "status --json", "plan --json", "verify", "verify --json"):
        tenure(bank, *verb.split())
    for verb in ("sql staging", "sql features", "sql labels", "lineage age", "lineage payments.party_length --json"):
        assert tenure(bank, *verb.split())[0] == 0, verb
    for verb in ("history", "features list", "features describe age"):
        assert tenure(bank, *verb.split())[0] == 0, verb
    code, printed = tenure(bank, "report")
    assert code == 0, printed
    # Tables are joined by the entity's key and the list is read by it, so that a personal one is in them, and in them
    # alone: the ledger, the registry of models, the report and all that is counted have none.
    joined = "snapshots features labels splits training_set tiles scores shap_values reasons segments attrition_list"
    keyed = [f"lake/{table}/" for table in joined.split()] + ["out/attrition_list."] if key == PERSONAL else []
    assert not leaks_in_files(bank, CANARIES, but=(*OWN, *keyed))
    with Work.open(bank) as work:
        held = work.lake.read("quarantine/payments").to_pylist()
        assert len(held) == 2, "the rows that were set aside are whole"
        assert all(row["counterparty"].startswith("Qzx") for row in held)
        reasons = {row["source"]: row["reasons"] for row in work.lake.read("intake").to_pylist()}
        assert reasons["payments"] == "amount: not a decimal (1); key: claimed by another row (1)"
    page = re.sub(r"\s+", " ", (bank / work.output.name / "report.html").read_text())
    assert "customers.born_on is declared personal too; age is made of it" in page
    assert "payments.counterparty is declared personal too; party_mean_90d is made of it" in page
    assert "Declared personal, and in no feature, list or page: customers.full_name, payments.payment_ref." in page
    assert ("customer_id is declared personal: the list has it" in page) == (key == PERSONAL)


def edit(bank, name, old, new):
    file = bank / name
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def first_people(bank):
    return bank / "data" / "people" / "Qzxfile-Novák.csv"


def bad_birth_date(bank):
    file = first_people(bank)
    file.write_text(file.read_text().replace("1931-07-23", "23.07.1931", 1))


def bad_key(bank):
    file = first_people(bank)
    file.write_text(file.read_text().replace("\n7,", "\nQzx7-A,", 1))
    edit(bank, "sources.py", NUMBER, 'type="integer", role="pii"')


def rivals(bank):
    file = bank / "data" / "payments.csv"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, lines[5] + "x"]) + "\n")


def rivals_of_two_keys(bank):
    rivals(bank)
    edit(bank, "sources.py", 'key="payment_ref"', 'key=("customer_id", "payment_ref")')


def another_width(bank):
    file = first_people(bank)
    file.write_text(file.read_text() + "1,2,Qzxextra,Qzx\n")


def not_closed(bank):
    file = first_people(bank)
    file.write_text(file.read_text() + '900,"Qzxopen')


def other_encoding(bank):
    file = first_people(bank)
    file.write_bytes(file.read_bytes() + "900,Qzxé,1931-07-23,north,2023-07-01,\n".encode("latin-1"))


def no_header_in_one(bank):
    file = first_people(bank)
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))


def no_header_in_all(bank):
    for file in (bank / "data" / "people").iterdir():
        file.write_text(",".join(f"Qzx{n}" for n in range(6)) + "\n1,2,3,4,5,6\n")


def no_header_under_a_select(bank):
    file = bank / "data" / "payments.csv"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))


def header_twice(bank):
    file = first_people(bank)
    file.write_text("Qzx,Qzx\n1,2\n")


def no_rows(bank):
    for file in (bank / "data" / "people").iterdir():
        file.write_text(",".join(PEOPLE) + "\n")


def nothing_matches(bank):
    edit(bank, "sources.py", "people/*.csv", "people/*.tsv")


def nothing_has_the_name(bank):
    edit(bank, "sources.py", "people/*.csv", "people/people.csv")


def damaged_parquet(bank):
    for file in (bank / "data" / "people").iterdir():
        file.with_suffix(".parquet").write_bytes(b"PAR1 Qzx no Parquet")
    edit(bank, "sources.py", 'Csv("people/*.csv")', 'Parquet("people/*.parquet")')


def parquet_of_other_types(bank):
    folder = bank / "data" / "people"
    for number, file in enumerate(sorted(folder.glob("*.csv"))):
        full_name = pa.array(["Qzxname"]) if number else pa.array([{"x": 1}])
        table = pa.table(
            {"customer_id": [number], "full_name": full_name, "born_on": ["Qzx"], "region": ["x"]}
            | {name: ["2024-01-01"] for name in PEOPLE[4:]}
        )
        pq.write_table(table, file.with_suffix(".parquet"))
    edit(bank, "sources.py", 'Csv("people/*.csv")', 'Parquet("people/*.parquet")')


def select_that_casts(bank):
    edit(bank, "sources.py", "LENGTH(counterparty)", "CAST(counterparty AS INTEGER)")


def select_that_parses(bank):
    edit(bank, "sources.py", "LENGTH(counterparty)", "YEAR(STRPTIME(payment_ref, '%Y-%m-%d'))")


def condition_on_a_personal_column(bank):
    edit(bank, "features/paid.py", 'where="party_length > 3"', "where=\"counterparty <> 'x'\"")


FAULTS = [
    (bad_birth_date, 4, r"column 'born_on': not a date: 99\.99\.9999 \(10 characters\) \(file \d of 2 that match"),
    (bad_key, 4, r"column 'customer_id': not a plain integer: Xxx9-X \(6 characters\) \(file 1 of 2 that .*line 9\)"),
    (rivals, 4, r"2 different rows claim the key payment_ref=Xxxxxx-9 \(8 characters\) \(payments\.csv, line 6\)"),
    (rivals_of_two_keys, 4, r"claim the key customer_id=0, payment_ref=Xxxxxx-9 "),
    (another_width, 4, r"file 1 of 2 that match 'people/\*\.csv', line \d+: 4 fields where the header has 6"),
    (not_closed, 4, r"file 1 of 2 that match 'people/\*\.csv', (after )?line \d+: a quoted field is not closed"),
    (other_encoding, 4, r"."),
    (
        no_header_in_one,
        4,
        r"file 2 of 2 .*, line 1: 6 columns, of which number 1 is 'xxxxxxxx_xx \(11 characters\)', against 6",
    ),
    (no_header_in_all, 4, r"they have none that it declares, but: Xxx9 \(4 characters\).*is the header missing"),
    (no_header_under_a_select, 3, r"the select of source 'payments' .* can't be run"),
    (header_twice, 4, r"file 1 of 2 .*, line 1: the header has a column twice"),
    (no_rows, 4, r"source 'customers' has no rows \(2 files that match 'people/\*\.csv'\)"),
    (nothing_matches, 4, r"there are: Xxxxxxx-Xxxxx\.csv, Xxxxxxx-Xxxxx\.csv"),
    (nothing_has_the_name, 4, r"there are: Xxxxxxx-Xxxxx\.csv"),
    (damaged_parquet, 4, r"people/\*\.parquet"),
    (parquet_of_other_types, None, r"."),
    (select_that_casts, None, r"."),
    (select_that_parses, None, r"."),
    (condition_on_a_personal_column, 3, r"counterparty"),
]


@pytest.mark.parametrize(("fault", "code", "told"), FAULTS, ids=lambda given: getattr(given, "__name__", ""))
def test_a_run_that_fails_on_personal_data_tells_where_and_not_what(tmp_path, tenure, fault, code, told):
    bank = write_canary_bank(tmp_path / "bank", customers=20)
    fault(bank)
    sources = {"sources.py", "features/paid.py"}
    left, printed = tenure(bank, "staging")
    if fault is condition_on_a_personal_column:
        left, printed = tenure(bank, "run", "--to", "features")
    assert left == code if code else left > 1, printed
    assert re.search(told, printed.replace("\n", " ")), printed
    assert "Traceback" not in printed
    for verb in (["status"], ["status", "--json"], ["check"], ["plan"], ["run", "--json", "--to", "staging"]):
        tenure(bank, *verb)
    assert not leaks_in_files(bank, CANARIES, but=(*OWN, *sources))


SPINES = {
    "no number": "customer_id,snapshot_date\nQzxspine,2024-03-31\n",
    "a number too large": "customer_id,snapshot_date\n99999193107230000000,2024-03-31\n",
    "a row too wide": "customer_id,snapshot_date\n1,2024-03-31,Qzxspine\n",
    "no time": "customer_id,snapshot_date\n1,Qzxspine\n",
    "no header": "Qzxspine,2024-03-31\n1,2024-03-31\n",
    "no header, a value twice": "Qzxspine,Qzxspine,2024-03-31\n1,2,2024-03-31\n",
}


def test_a_spine_that_can_not_be_read_is_refused_without_its_values(tmp_path, tenure):
    bank = write_canary_bank(tmp_path / "bank", customers=20)
    assert tenure(bank, "staging")[0] == 0
    for name, text in SPINES.items():
        (spine := tmp_path / "spine.csv").write_text(text)
        code, printed = tenure(
            bank, "historical-features", "--spine", str(spine), "--features", "age", "--out", str(tmp_path / "out.csv")
        )
        assert code > 1, (name, printed)
        assert "19310723" not in printed, name
    assert not leaks_in_files(bank, CANARIES, but=OWN)


def test_the_scan_finds_what_is_planted(tmp_path):
    texts = {
        "raw": b"x Qzxname 7 y",
        "utf-16": "Qzxname 7".encode("utf-16-be"),
        "percent": b"a%20Qzxname%207",
        "base64": b"eCBRenhuYW1lIDcgeQ==",
        "upper": b"QZXNAME 7",
        "escaped": "Žofie".encode("unicode_escape"),
    }
    for name, content in texts.items():
        (tmp_path / name).write_bytes(content)
    pq.write_table(pa.table({"a": ["Qzxname 7"] * 3}), tmp_path / "x.parquet", compression="zstd")
    (tmp_path / "Qzxname 7.csv").touch()
    (tmp_path / "sound").write_bytes(b"nothing of Zofie")
    found = {place.rpartition(" in ")[2] for place in leaks_in_files(tmp_path, ["Qzxname 7", "Žofie"])}
    assert found == {*texts, "x.parquet", "Qzxname 7.csv"}
