"""The injector: sixty faults, each of which changes what it says and nothing else."""

import csv
import io
import runpy
from collections import Counter
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from planted.delivery import BOOKINGS, WRITTEN, Delivery, Lines, copy_bank, month_before, write_bank
from planted.detection import Outcome, chance_of, detection_table, run_all
from planted.faults import FAULTS, READ_BY, mojibake
from planted.harms import Adds, Loses, Rewrites, Shuffles, Whole

import tenure
from tenure import Csv, Parquet, Source

NAMED = {fault.name: fault for fault in FAULTS}
BOTH = [(fault, share) for fault in FAULTS for share in (1.0, 0.01) if share == 1 or not fault.whole_only]


def planted_by(harm):
    """Run a test over the faults of one kind of harm, each at its shares."""
    pairs = [pair for pair in BOTH if isinstance(pair[0].harm, harm)]
    return pytest.mark.parametrize(("fault", "share"), pairs, ids=lambda value: getattr(value, "name", value))


FAULT_AND_SHARE = pytest.mark.parametrize(
    ("fault", "share"), BOTH, ids=[f"{fault.name}-{share:.0%}" for fault, share in BOTH]
)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    return write_bank(tmp_path_factory.mktemp("planted") / "bank", customers=150, months=4)


def planted(bank, fault, share) -> Delivery:
    delivery = Delivery(bank / "data")
    fault.plant(delivery, share, chance_of(fault, share))
    return delivery


def clean_and_planted(bank, fault, share) -> tuple[Lines, list[str], Delivery]:
    """The clean file, the lines of the planted one without its header, and the delivery."""
    delivery = planted(bank, fault, share)
    after = delivery.read(fault.file).decode("utf-8", "surrogateescape").removesuffix("\n").split("\n")
    return Delivery(bank / "data").lines(fault.file), after[1:], delivery


def cells(line: str) -> list[str]:
    return next(csv.reader(io.StringIO(line)))


def declared() -> dict[str, Source]:
    template = Path(tenure.__file__).parent / "templates" / "bank" / "sources.py"
    return {found.name: found for found in runpy.run_path(str(template)).values() if isinstance(found, Source)}


def files_of(source: Source) -> set[str]:
    tables = source.read.values() if isinstance(source.read, dict) else [source.read]
    assert all(isinstance(table, Csv | Parquet) for table in tables)
    return {table.path.replace(".parquet", ".csv") for table in tables}


def test_there_are_sixty_faults_of_different_names_over_all_raw_files():
    assert len(FAULTS) == len(NAMED) == 60
    assert {fault.file for fault in FAULTS} == set(READ_BY) == set(WRITTEN)
    assert len({fault.words for fault in FAULTS}) == 60


def test_the_sources_that_read_a_file_are_those_of_the_template():
    for file, sources in READ_BY.items():
        assert set(sources) == {name for name, source in declared().items() if file in files_of(source)}


@pytest.mark.parametrize("fault", FAULTS, ids=list(NAMED))
def test_every_named_column_is_declared_by_a_source_that_reads_the_file(fault):
    columns = {column.name for source in READ_BY[fault.file] for column in declared()[source].columns}
    assert fault.columns
    assert set(fault.columns) <= columns | {""}


@FAULT_AND_SHARE
def test_no_other_file_is_changed(bank, fault, share):
    delivery = planted(bank, fault, share)
    extra = f"transactions/{delivery.month}_1.csv"
    assert list(delivery.changed) == [extra if fault.name == "month_delivered_twice" else delivery.path(fault.file)]
    (path,) = delivery.changed
    file = bank / "data" / path
    assert delivery.changed[path] != (file.read_bytes() if file.exists() else None)


@FAULT_AND_SHARE
def test_the_same_seed_gives_the_same_bytes(bank, fault, share):
    assert planted(bank, fault, share).changed == planted(bank, fault, share).changed


@planted_by(Rewrites | Shuffles)
def test_cells_change_in_the_named_columns_of_the_newest_rows_alone(bank, fault, share):
    clean, after, delivery = clean_and_planted(bank, fault, share)
    touches = fault.harm.touches if isinstance(fault.harm, Rewrites) else (fault.harm.column,)
    assert len(after) == len(clean.lines)
    struck = [place for place, line in enumerate(after) if line != clean.lines[place]]
    newest = delivery.newest(fault.file, clean)
    assert set(struck) <= set(newest)
    changed = set()
    for place in struck:
        before, now = clean.row(place), dict(zip(clean.header, cells(after[place]), strict=True))
        changed |= {column for column in clean.header if before[column] != now[column]}
    assert changed == set(touches)
    if share == 0.01:
        assert 1 <= len(struck) <= max(2, round(len(newest) / 100))
    else:
        assert len(struck) > len(newest) / 50, "a whole file has it often"


@planted_by(Adds)
def test_added_rows_follow_those_that_were_there(bank, fault, share):
    clean, after, _ = clean_and_planted(bank, fault, share)
    assert after[: len(clean.lines)] == clean.lines
    assert len(after) - len(clean.lines) == max(1, round(len(clean.lines) * share))


@planted_by(Loses)
def test_lost_rows_are_of_those_named_and_the_others_are_as_they_were(bank, fault, share):
    clean, after, _ = clean_and_planted(bank, fault, share)
    lost = Counter(clean.lines) - Counter(after)
    assert [line for line in clean.lines if line not in lost] == after
    rows = [dict(zip(clean.header, line.split(","), strict=True)) for line in lost]
    assert all(map(fault.harm.which, rows))
    assert lost.total() == (
        sum(map(fault.harm.which, clean.rows())) if share == 1 else max(1, round(len(clean.lines) / 100))
    )


@pytest.mark.parametrize("share", [1.0, 0.01])
def test_a_split_keeps_the_sum_and_the_balances(bank, share):
    fault = NAMED["bookings_in_two_parts"]
    clean, after, _ = clean_and_planted(bank, fault, share)
    rows = [dict(zip(clean.header, line.split(","), strict=True)) for line in after]
    assert len(rows) - len(clean.lines) == max(1, round(len(clean.lines) * share))
    assert sum(Decimal(row["amount"]) for row in rows) == sum(Decimal(row["amount"]) for row in clean.rows())
    parts = [pair for pair in pairwise(rows) if int(pair[1]["transaction_id"]) > 5_000_000_000]
    assert len(parts) == len(rows) - len(clean.lines)
    for one, rest in parts:
        assert int(rest["transaction_id"]) - int(one["transaction_id"]) == 5_000_000_000
        step = Decimal(rest["amount"]) if rest["direction"] == "credit" else -Decimal(rest["amount"])
        assert Decimal(one["balance_after"]) + step == Decimal(rest["balance_after"])


@pytest.mark.parametrize("share", [1.0, 0.01])
def test_the_last_field_is_cut_and_no_other(bank, share):
    delivery = planted(bank, NAMED["last_column_cut"], share)
    before = (bank / "data" / delivery.months()[-1]).read_bytes().split(b"\n")
    after = delivery.read(BOOKINGS).split(b"\n")
    cut = [line.rpartition(b",")[0] for line in before]
    assert all(now in {line, short} for now, line, short in zip(after, before, cut, strict=True))
    rows = len(before) - 2  # the header and what follows the last line feed
    shorter = sum(now == short for now, short in zip(after[1:-1], cut[1:-1], strict=True))
    assert shorter == (rows if share == 1 else round(rows / 100))
    assert (after[0] == cut[0]) == (share == 1)


def test_faults_of_whole_files_are_what_they_say(bank):
    clean = Delivery(bank / "data")
    october, november, december = clean.months()[-3:]
    assert (october[-11:], december[-11:]) == ("2025-10.csv", "2025-12.csv")
    after = {fault.name: planted(bank, fault, 1.0) for fault in FAULTS if isinstance(fault.harm, Whole)}
    assert after["previous_month_again"].read(BOOKINGS) == clean.read(november)
    assert after["month_missing"].changed == {december: None}
    assert after["month_delivered_twice"].changed == {"transactions/2025-12_1.csv": clean.read(december)}
    short = after["month_cut_short"].read(BOOKINGS)
    assert clean.read(december).startswith(short)
    assert not short.endswith(b"\n")
    mainframe = after["interactions_in_ebcdic"].read("interactions.csv")
    assert mainframe.decode("cp037") == clean.read("interactions.csv").decode()
    redated = after["previous_month_redated"].lines(BOOKINGS)
    assert {row["booked_at"][:7] for row in redated.rows()} == {"2025-12"}
    ids = [row["transaction_id"] for row in clean.lines(november).rows()]
    assert [row["transaction_id"] for row in redated.rows()] == ids
    older = after["customers_of_last_month"].lines("customers.csv")
    gone = set(clean.lines("customers.csv").lines) - set(older.lines)
    assert gone
    assert all(line.split(",")[-1].startswith("2025-12") for line in gone)
    assert not any(line.split(",")[-1].startswith("2025-12") for line in older.lines)


def test_a_fault_of_a_whole_file_has_no_share(bank):
    with pytest.raises(ValueError, match="month_missing is a fault of a whole file; it has no share"):
        NAMED["month_missing"].plant(Delivery(bank / "data"), 0.01, chance_of(NAMED["month_missing"], 0.01))


@pytest.mark.parametrize(
    ("name", "column", "before", "now"),
    [
        ("amount_decimal_comma", "amount", "1661.23", "1661,23"),
        ("balance_thousands_separators", "balance_after", "-12602.78", "-12,602.78"),
        ("amount_currency_sign", "amount", "66.52", "$66.52"),
        ("account_id_exponent", "account_id", "1000431", "1.00E+06"),
        ("amount_in_cents", "amount", "66.52", "6652"),
        ("balance_in_thousands", "balance_after", "2602.78", "2.60"),
        ("amount_in_other_currency", "amount", "100.00", "92.00"),
        ("duration_in_seconds", "duration_minutes", "5", "300"),
        ("duration_in_seconds", "duration_minutes", "5 min", "5 min"),
        ("interest_rate_in_percent", "interest_rate", "0.0325", "3.25"),
        ("interest_rate_in_percent", "interest_rate", "0", "0"),
        ("bookings_in_other_zone", "booked_at", "2025-12-01 06:30:05", "2025-11-30 22:30:05"),
        ("contacts_in_other_zone", "occurred_at", "2025-12-31 21:59:59", "2026-01-01 06:59:59"),
        ("opened_day_and_month_swapped", "opened_on", "2025-03-12", "2025-12-03"),
        ("opened_day_and_month_swapped", "opened_on", "2025-03-13", "2025-03-13"),
        ("booked_a_year_early", "booked_at", "2025-12-31 10:00:00", "2024-12-31 10:00:00"),
        ("booked_at_midnight", "booked_at", "2025-12-31 10:00:01", "2025-12-31 00:00:00"),
        ("booked_in_the_future", "booked_at", "2025-12-31 10:00:00", "2026-02-09 10:00:00"),
        ("topic_replacement_characters", "topic", "statement", "st\ufffdtement"),
        ("region_cut_at_five_characters", "region", "south-east", "south"),
        ("region_in_windows_1252", "region", "south-east", "south\udc96east"),
        ("kind_as_labels", "kind", "app_login", "App login"),
        ("closed_on_open_end", "closed_on", "", "9999-12-31"),
        ("closed_on_open_end", "closed_on", "2025-01-02", "2025-01-02"),
    ],
)
def test_a_cell_becomes_what_its_words_say(name, column, before, now):
    change = NAMED[name].harm.change(Lines([column], []))
    assert change({column: before, "other": "x"}) == {column: now, "other": "x"}


def test_mojibake_is_utf_8_read_as_latin_1():
    assert mojibake("Jon Kaja").encode("latin-1").decode("utf-8") == "Jón Kaja"


def test_signs_and_stuck_balances_follow_other_columns():
    negative = NAMED["debits_negative"].harm.change(Lines([], []))
    assert negative({"amount": "5.00", "direction": "debit"})["amount"] == "-5.00"
    assert negative({"amount": "5.00", "direction": "credit"})["amount"] == "5.00"
    fee = NAMED["fees_as_credits"].harm.change(Lines([], []))
    assert fee({"category": "fee", "direction": "debit"})["direction"] == "credit"
    assert fee({"category": "rent", "direction": "debit"})["direction"] == "debit"
    header = ["account_id", "booked_at", "balance_after"]
    lines = Lines(header, ["1,2025-12-02 00:00:00,7", "1,2025-12-01 00:00:00,5", "2,2025-12-03 00:00:00,9"])
    stuck = NAMED["balances_stuck"].harm.change(lines)
    assert [stuck(row)["balance_after"] for row in lines.rows()] == ["5", "5", "9"]


def test_the_delivery_before_lacks_the_newest_month_and_nothing_else(bank):
    delivery = Delivery(bank / "data")
    before = month_before(bank / "data")
    assert before.changed.pop(delivery.months()[-1]) is None
    assert set(before.changed) == set(WRITTEN) - {BOOKINGS}
    for file, content in before.changed.items():
        now, then = delivery.lines(file), Lines.of(content)
        lost = Counter(now.lines) - Counter(then.lines)
        assert lost
        column = now.header.index(WRITTEN[file])
        assert all(line.split(",")[column].startswith("2025-12") for line in lost)


def test_a_file_that_is_no_plain_csv_is_refused():
    for content in (b'a,b\n"1",2\n', b"a\r\n1\r\n", b"a\n1"):
        with pytest.raises(ValueError, match="quotes or carriage returns, or ends within a line"):
            Lines.of(content)


def everything(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_run_all_asks_of_every_fault_and_leaves_the_bank_as_it_is(bank):
    before = everything(bank)
    asked = []

    def detect(project):
        """Name the source of each file that is not as it was; and say of every bank that it has no contract."""
        now = everything(project)
        changed = [path for path in before | now if before.get(path) != now.get(path)]
        asked.append(changed)
        names = {path: "transactions" if "/transactions/" in path else Path(path).stem for path in changed}
        return [("Q9", "accounts", "", "no contract"), *(("Q1", names[path], "amount", path) for path in changed)]

    outcomes = run_all(bank, detect)
    assert everything(bank) == before
    assert not bank.with_name("bank.planted").exists()
    assert [(outcome.fault.name, outcome.share) for outcome in outcomes] == [(f.name, share) for f, share in BOTH]
    assert asked[0] == []
    assert all(len(changed) == 1 for changed in asked[1:])
    assert all(outcome.caught and not outcome.error for outcome in outcomes)
    assert {outcome.alarms[0][0] for outcome in outcomes} == {"Q1"}, "what the clean bank has too is no find"
    right = {outcome.fault.name for outcome in outcomes if outcome.right}
    assert right == {fault.name for fault in FAULTS if fault.file == BOOKINGS and "amount" in fault.columns}


def test_a_detector_that_fails_is_said_and_is_no_find(bank):
    def detect(project):
        if not (project / "data" / "transactions" / "2025-12.csv").exists():
            raise FileNotFoundError("no December")
        return []

    outcomes = run_all(bank, detect, faults=[NAMED["month_missing"], NAMED["amount_empty"]])
    assert [outcome.verdict for outcome in outcomes] == ["error", "undetected", "undetected"]
    assert outcomes[0].error == "FileNotFoundError: no December"
    assert not outcomes[0].caught


def test_the_table_says_what_was_caught_and_by_which_column():
    amount, missing = NAMED["amount_in_cents"], NAMED["month_missing"]
    outcomes = [
        Outcome(fault=amount, share=1.0, alarms=(("Q2", "transactions", "amount", "m"), ("Q1", "accounts", "", "m"))),
        Outcome(fault=amount, share=0.01, alarms=(("Q1", "transactions", "channel", "m"),)),
        Outcome(fault=missing, share=1.0, alarms=(("Q3", "interactions", "", "m"),)),
    ]
    assert detection_table(outcomes).splitlines() == [
        "| family | fault | whole file | 1% of the rows |",
        "| --- | --- | --- | --- |",
        "| units | amount_in_cents | right column (Q1, Q2) | another column (Q1) |",
        "| files | month_missing | another column (Q3) | – |",
        "",
        "whole file: 2 of 2 caught, 1 with the right column, 0 errors.",
        "1% of the rows: 1 of 1 caught, 0 with the right column, 0 errors.",
    ]


def test_a_copy_shares_no_file_that_a_fault_changes(bank, tmp_path):
    copy = copy_bank(bank, tmp_path / "copy")
    before = everything(bank)
    assert everything(copy) == before
    delivery = planted(bank, NAMED["amount_in_cents"], 1.0)
    delivery.write(copy / "data")
    assert everything(bank) == before
    assert [name for name, content in everything(copy).items() if content != before[name]] == [
        f"data/{delivery.months()[-1]}"
    ]
