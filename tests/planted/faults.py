"""Sixty faults of data as banks know them, each to be planted into a delivery: in the whole file or in 1 % of its rows.

Nothing here knows how a fault could be found.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random

from planted.delivery import BOOKINGS, Delivery, Lines, Row, without_newest_month
from planted.harms import Adds, Harm, Loses, LosesLastField, Rewrites, Shuffles, Splits, Whole, each

CUSTOMERS, ACCOUNTS, INTERACTIONS = "customers.csv", "accounts.csv", "interactions.csv"

#: The declared sources that read each file, the one that is hurt first.
READ_BY = {
    CUSTOMERS: ("customers", "profile_updates"),
    ACCOUNTS: ("accounts", "account_closings", "customers", "transactions"),
    INTERACTIONS: ("interactions",),
    BOOKINGS: ("transactions",),
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault: what happened in the bank, in which file, and the declared columns that a good alarm may name.

    '' among the columns says that an alarm of the whole table is right.
    """

    name: str
    family: str
    file: str
    columns: tuple[str, ...]
    words: str
    harm: Harm

    @property
    def source(self) -> str:
        """The declared source that is hurt."""
        return READ_BY[self.file][0]

    @property
    def whole_only(self) -> bool:
        """Whether 1 % of it makes no sense: a file is there or it is not."""
        return isinstance(self.harm, Whole)

    def plant(self, delivery: Delivery, share: float, chance: Random) -> None:
        """Change the delivery: every row of the newest month that can have the fault, or this share of the rows."""
        if self.whole_only and share != 1:
            raise ValueError(f"{self.name} is a fault of a whole file; it has no share")
        self.harm.do(delivery, self.file, share, chance)


def cell(column: str, change: Callable[[str], str]) -> Rewrites:
    """A column whose text is written otherwise."""
    return Rewrites((column,), each(lambda row: {**row, column: change(row[column])}))


def filled(column: str, text: str, *, instead_of: str | None = None) -> Rewrites:
    """A column that holds this text, in every row or instead of another text."""
    return cell(column, lambda old: text if instead_of in {None, old} else old)


def renamed(column: str, names: dict[str, str]) -> Rewrites:
    return cell(column, lambda old: names.get(old, old))


def swapped(one: str, other: str) -> Rewrites:
    return Rewrites((one, other), each(lambda row: {**row, one: row[other], other: row[one]}))


def times(column: str, factor: str, places: str = "0.01") -> Rewrites:
    """A number in another unit; no number, or zero, stays."""
    return cell(column, lambda old: _scaled(old, Decimal(factor), Decimal(places)))


def _scaled(text: str, factor: Decimal, places: Decimal) -> str:
    if not re.fullmatch(r"-?\d+(\.\d+)?", text) or Decimal(text) == 0:
        return text
    return str((Decimal(text) * factor).quantize(places))


def negated(text: str) -> str:
    return text.removeprefix("-") if text.startswith("-") else f"-{text}"


def moved(text: str, **by: float) -> str:
    """A time of the text's form so much later."""
    return str(datetime.fromisoformat(text) + timedelta(**by))


def day_month_swapped(text: str) -> str:
    """A date read the other way round, where that is a date."""
    year, month, day = text.split("-")
    return f"{year}-{day}-{month}" if int(day) <= 12 else text


def with_thousands(text: str) -> str:
    return f"{Decimal(text):,}"


def as_spreadsheet(text: str) -> str:
    """A number as a spreadsheet shows it in a narrow column: 1000431 is 1.00E+06."""
    return f"{int(text):.2E}"


def mojibake(text: str) -> str:
    """The first vowel as an accented letter, stored as UTF-8 and read as Latin-1."""
    accented = str.maketrans("aeiou", "áéíóú")
    return re.sub("[aeiou]", lambda found: found[0].translate(accented).encode().decode("latin-1"), text, count=1)


def _debits_negative(row: Row) -> Row:
    return {**row, "amount": negated(row["amount"])} if row["direction"] == "debit" else row


def _fees_as_credits(row: Row) -> Row:
    return {**row, "direction": "credit"} if row["category"] == "fee" else row


def _recorded_too_early(row: Row) -> Row:
    return {**row, "recorded_at": moved(row["booked_at"], days=-2)}


def _under_new_id(row: Row) -> Row:
    return {**row, "transaction_id": str(int(row["transaction_id"]) + 5_000_000_000)}


def _other_amount(row: Row) -> Row:
    return {**row, "amount": str(Decimal(row["amount"]) + Decimal("10.00"))}


def _of_another_customer(row: Row) -> Row:
    return {**row, "customer_id": str(int(row["customer_id"]) + 1)}


def _in_two(row: Row) -> tuple[Row, Row]:
    """A booking in two parts whose sum and last balance are its own."""
    amount = Decimal(row["amount"])
    first = (amount / 3).quantize(Decimal("0.01"))
    back = amount - first if row["direction"] == "debit" else first - amount
    one = {**row, "amount": str(first), "balance_after": str(Decimal(row["balance_after"]) + back)}
    return one, {**_under_new_id(row), "amount": str(amount - first)}


def _balances_stuck(lines: Lines) -> Callable[[Row], Row]:
    """Every booking with the balance after its account's first booking of the month."""
    first: dict[str, tuple[str, str]] = defaultdict(lambda: ("~", ""))
    for row in lines.rows():
        first[row["account_id"]] = min(first[row["account_id"]], (row["booked_at"], row["balance_after"]))
    return lambda row: {**row, "balance_after": first[row["account_id"]][1]}


def _month_again(delivery: Delivery, file: str) -> None:
    delivery.put(file, delivery.read(delivery.months()[-2]))


def _month_again_redated(delivery: Delivery, file: str) -> None:
    previous = delivery.months()[-2]
    lines = delivery.lines(previous)
    begins = datetime.fromisoformat(f"{delivery.month}-01")
    days = (begins - (begins - timedelta(days=1)).replace(day=1)).days
    columns = [lines.header.index(name) for name in ("booked_at", "recorded_at")]
    for place, line in enumerate(lines.lines):
        cells = line.split(",")
        for column in columns:
            cells[column] = moved(cells[column], days=days)
        lines.lines[place] = ",".join(cells)
    delivery.put(file, lines.content())


def _extract_of_last_month(delivery: Delivery, file: str) -> None:
    delivery.put(file, without_newest_month(delivery, file))


def _cut_short(delivery: Delivery, file: str) -> None:
    content = delivery.read(file)
    cut = content.index(b"\n", len(content) * 6 // 10) - 9
    delivery.put(file, content[:cut])


def _missing(delivery: Delivery, file: str) -> None:
    delivery.put(file, None)


def _twice(delivery: Delivery, file: str) -> None:
    delivery.put(f"transactions/{delivery.month}_1.csv", delivery.read(file))


def _ebcdic(delivery: Delivery, file: str) -> None:
    delivery.put(file, delivery.read(file).decode("utf-8").encode("cp037"))


def fault(name: str, file: str, columns: str, words: str, harm: Harm) -> tuple[str, str, tuple[str, ...], str, Harm]:
    """A row of the list below: columns separated by blanks, where 'table' stands for an alarm of the whole table."""
    return name, file, tuple("" if column == "table" else column for column in columns.split()), words, harm


_BY_FAMILY = {
    "types": (
        fault(
            "amount_decimal_comma",
            BOOKINGS,
            "amount",
            "The export server's locale became German: 66,52 for 66.52",
            cell("amount", lambda old: old.replace(".", ",")),
        ),
        fault(
            "balance_thousands_separators",
            BOOKINGS,
            "balance_after",
            "The export was formatted for reading: 2,602.78",
            cell("balance_after", with_thousands),
        ),
        fault(
            "amount_currency_sign",
            BOOKINGS,
            "amount",
            "A report's layout was used for the export: $66.52",
            cell("amount", lambda old: f"${old}"),
        ),
        fault(
            "account_id_exponent",
            BOOKINGS,
            "account_id",
            "The file was opened and saved in a spreadsheet: 1.00E+06",
            cell("account_id", as_spreadsheet),
        ),
        fault(
            "digital_enrolled_local_words",
            CUSTOMERS,
            "digital_enrolled",
            "The front end's words came instead of the codes: ja and nein",
            renamed("digital_enrolled", {"true": "ja", "false": "nein"}),
        ),
    ),
    "nulls": (
        fault(
            "amount_empty",
            BOOKINGS,
            "amount",
            "A field was renamed upstream, and the export wrote nothing in its place",
            filled("amount", ""),
        ),
        fault(
            "category_null_word",
            BOOKINGS,
            "category",
            "The unload wrote the word NULL for what the enrichment had not yet filled",
            filled("category", "NULL"),
        ),
        fault(
            "income_band_not_available",
            CUSTOMERS,
            "income_band",
            "The consent service was down; its client answered N/A",
            filled("income_band", "N/A"),
        ),
        fault(
            "balance_zero_filled",
            BOOKINGS,
            "balance_after",
            "The balance service timed out; the export filled in 0.00",
            filled("balance_after", "0.00"),
        ),
        fault(
            "birth_date_default",
            CUSTOMERS,
            "birth_date",
            "A migration gave customers without a checked document the date 1900-01-01",
            filled("birth_date", "1900-01-01"),
        ),
        fault(
            "closed_on_open_end",
            ACCOUNTS,
            "closed_on",
            "The new core system ends an open account at 9999-12-31",
            filled("closed_on", "9999-12-31", instead_of=""),
        ),
    ),
    "duplicates": (
        fault(
            "booking_lines_doubled",
            BOOKINGS,
            "transaction_id table",
            "The export job was restarted and appended its lines again",
            Adds(dict),
        ),
        fault(
            "booking_key_with_other_amount",
            BOOKINGS,
            "transaction_id amount balance_after",
            "A retried posting wrote a second row of the same key and time with another amount",
            Adds(_other_amount),
        ),
        fault(
            "booking_under_new_id",
            BOOKINGS,
            "transaction_id balance_after table",
            "The payment interface sent its batch twice; the core system gave new ids",
            Adds(_under_new_id),
        ),
        fault(
            "account_of_two_customers",
            ACCOUNTS,
            "account_id customer_id",
            "A join with joint holders came into the extract: each account a second time, with another customer",
            Adds(_of_another_customer),
        ),
    ),
    "orphans": (
        fault(
            "booking_of_unknown_account",
            BOOKINGS,
            "account_id customer_id",
            "Bookings of another institution of the group lie in the file",
            cell("account_id", lambda old: str(int(old) + 8_800_000_000)),
        ),
        fault(
            "account_of_unknown_customer",
            ACCOUNTS,
            "customer_id",
            "Customers were renumbered in the accounts' system alone",
            cell("customer_id", lambda old: str(int(old) + 55_000_000)),
        ),
        fault(
            "contact_customer_suffix",
            INTERACTIONS,
            "customer_id",
            "The call centre's system appends the number of the card: 100080-01",
            cell("customer_id", lambda old: f"{old}-01" if old else old),
        ),
    ),
    "swapped columns": (
        fault(
            "amount_and_balance_swapped",
            BOOKINGS,
            "amount balance_after",
            "Two fields changed places in the mapping",
            swapped("amount", "balance_after"),
        ),
        fault(
            "category_and_channel_swapped",
            BOOKINGS,
            "category channel",
            "The export lists its columns in a new order under the old header",
            swapped("category", "channel"),
        ),
        fault(
            "opened_and_closed_swapped",
            ACCOUNTS,
            "opened_on closed_on",
            "The extract's two dates changed places",
            swapped("opened_on", "closed_on"),
        ),
    ),
    "units": (
        fault(
            "amount_in_cents",
            BOOKINGS,
            "amount",
            "The new core system counts cents: 6652 for 66.52",
            times("amount", "100", "1"),
        ),
        fault(
            "balance_in_thousands",
            BOOKINGS,
            "balance_after",
            "Balances came from the finance mart, which counts thousands",
            times("balance_after", "0.001"),
        ),
        fault(
            "amount_in_other_currency",
            BOOKINGS,
            "amount balance_after",
            "Amounts came in euros instead of dollars, at 0.92",
            times("amount", "0.92"),
        ),
        fault(
            "duration_in_seconds",
            INTERACTIONS,
            "duration_minutes",
            "The telephone system was replaced; the new one counts seconds",
            times("duration_minutes", "60", "1"),
        ),
        fault(
            "interest_rate_in_percent",
            ACCOUNTS,
            "interest_rate",
            "The rate came in percent: 3.25 for 0.0325",
            times("interest_rate", "100"),
        ),
    ),
    "signs": (
        fault(
            "directions_flipped",
            BOOKINGS,
            "direction balance_after",
            "Debit and credit are said from the customer's side instead of the bank's",
            renamed("direction", {"debit": "credit", "credit": "debit"}),
        ),
        fault(
            "debits_negative",
            BOOKINGS,
            "amount",
            "The new interface signs its amounts: debits are negative",
            Rewrites(("amount",), each(_debits_negative)),
        ),
        fault(
            "fees_as_credits",
            BOOKINGS,
            "direction balance_after",
            "The fee engine's bookings lost their sign on the way: fees are credits",
            Rewrites(("direction",), each(_fees_as_credits)),
        ),
    ),
    "times": (
        fault(
            "bookings_in_other_zone",
            BOOKINGS,
            "booked_at",
            "The server was set to UTC: bookings are eight hours early, many on the day before",
            cell("booked_at", lambda old: moved(old, hours=-8)),
        ),
        fault(
            "contacts_in_other_zone",
            INTERACTIONS,
            "occurred_at",
            "The call centre moved abroad: contacts are nine hours late, many on the day after",
            cell("occurred_at", lambda old: moved(old, hours=9)),
        ),
        fault(
            "opened_day_and_month_swapped",
            ACCOUNTS,
            "opened_on",
            "A date of the form 03/12 was read as 12/03, where both are dates",
            cell("opened_on", day_month_swapped),
        ),
        fault(
            "booked_a_year_early",
            BOOKINGS,
            "booked_at",
            "The batch of the new year ran with the old year",
            cell("booked_at", lambda old: f"{int(old[:4]) - 1}{old[4:]}"),
        ),
        fault(
            "booked_at_midnight",
            BOOKINGS,
            "booked_at",
            "The column became a date: every booking is at midnight",
            cell("booked_at", lambda old: f"{old[:10]} 00:00:00"),
        ),
        fault(
            "booked_in_the_future",
            BOOKINGS,
            "booked_at",
            "Standing orders are in the file before they were carried out",
            cell("booked_at", lambda old: moved(old, days=40)),
        ),
        fault(
            "recorded_before_booked",
            BOOKINGS,
            "recorded_at booked_at",
            "The time of recording is that of the file before: two days before the booking",
            Rewrites(("recorded_at",), each(_recorded_too_early)),
        ),
    ),
    "encoding": (
        fault(
            "names_mojibake",
            CUSTOMERS,
            "full_name",
            "Accented letters in UTF-8 were read as Latin-1 and stored so",
            cell("full_name", mojibake),
        ),
        fault(
            "region_in_windows_1252",
            CUSTOMERS,
            "region table",
            "A word processor's dash came in, in Windows-1252: a byte that is no UTF-8",
            cell("region", lambda old: old.replace("-", b"\x96".decode("utf-8", "surrogateescape"))),
        ),
        fault(
            "topic_replacement_characters",
            INTERACTIONS,
            "topic",
            "A converter wrote U+FFFD for what it could not read",
            cell("topic", lambda old: f"{old[:2]}\ufffd{old[3:]}"),
        ),
        fault(
            "interactions_in_ebcdic",
            INTERACTIONS,
            "table",
            "The mainframe's file was transferred in binary mode: EBCDIC",
            Whole(_ebcdic),
        ),
    ),
    "truncation": (
        fault(
            "month_cut_short",
            BOOKINGS,
            "table",
            "The disk was full: the file ends within a line, at six tenths",
            Whole(_cut_short),
        ),
        fault(
            "last_column_cut",
            BOOKINGS,
            "balance_after table",
            "The record length is one field too short",
            LosesLastField(),
        ),
        fault(
            "region_cut_at_five_characters",
            CUSTOMERS,
            "region",
            "A migrated column is five characters wide: south-east is south",
            cell("region", lambda old: old[:5]),
        ),
    ),
    "stale": (
        fault(
            "previous_month_again",
            BOOKINGS,
            "table transaction_id booked_at",
            "Last month's file was delivered again under the new name",
            Whole(_month_again),
        ),
        fault(
            "previous_month_redated",
            BOOKINGS,
            "table transaction_id booked_at",
            "A replayed job wrote last month's bookings with this month's dates",
            Whole(_month_again_redated),
        ),
        fault(
            "customers_of_last_month",
            CUSTOMERS,
            "table customer_id joined_on known_at updated_at",
            "The customers' extract did not run; last month's was delivered again",
            Whole(_extract_of_last_month),
        ),
        fault(
            "balances_stuck",
            BOOKINGS,
            "balance_after",
            "The balance was cached: all month each account has that of its first booking",
            Rewrites(("balance_after",), _balances_stuck),
        ),
    ),
    "files": (
        fault(
            "month_missing", BOOKINGS, "table booked_at", "The transfer failed: no file of the month", Whole(_missing)
        ),
        fault(
            "month_delivered_twice",
            BOOKINGS,
            "table transaction_id",
            "The transfer was repeated under a second name",
            Whole(_twice),
        ),
    ),
    "shuffled": (
        fault(
            "amounts_misaligned",
            BOOKINGS,
            "amount balance_after",
            "A column-wise merge lost its order: amounts lie in other rows than their own",
            Shuffles("amount"),
        ),
    ),
    "categories": (
        fault(
            "groceries_renamed",
            BOOKINGS,
            "category",
            "The enrichment's new version says supermarket for groceries",
            renamed("category", {"groceries": "supermarket"}),
        ),
        fault(
            "channel_in_capitals",
            BOOKINGS,
            "channel",
            "Another system writes its codes in capitals: POS, ATM",
            cell("channel", str.upper),
        ),
        fault(
            "kind_as_labels",
            INTERACTIONS,
            "kind",
            "The export has the labels that a screen shows instead of the codes: App login for app_login",
            cell("kind", lambda old: old.replace("_", " ").capitalize()),
        ),
        fault(
            "channel_all_branch",
            BOOKINGS,
            "channel",
            "The channel was not handed on, and branch is the default",
            filled("channel", "branch"),
        ),
        fault(
            "digital_enrolled_constant",
            CUSTOMERS,
            "digital_enrolled",
            "A release switched everybody on: true in every row",
            filled("digital_enrolled", "true"),
        ),
        fault(
            "atm_bookings_lost",
            BOOKINGS,
            "channel table",
            "The ATM network's feed was not connected",
            Loses(lambda row: row["channel"] == "atm"),
        ),
    ),
    "volume": (
        fault(
            "half_of_the_bookings",
            BOOKINGS,
            "table",
            "One of two partitions was exported",
            Loses(lambda row: int(row["transaction_id"]) % 2 == 0),
        ),
        fault(
            "every_third_customer_lost",
            CUSTOMERS,
            "table customer_id",
            "One of three shards did not answer",
            Loses(lambda row: int(row["customer_id"]) % 3 == 0),
        ),
        fault(
            "outage_of_two_days",
            BOOKINGS,
            "booked_at table",
            "The interface stood still for two days, and nobody sent them after",
            Loses(lambda row: row["booked_at"][8:10] in {"10", "11"}),
        ),
        fault(
            "bookings_in_two_parts",
            BOOKINGS,
            "amount transaction_id table",
            "Bookings came split in two, a third and the rest; sums and balances are right",
            Splits(_in_two),
        ),
    ),
}

FAULTS = tuple(
    Fault(name=name, family=family, file=file, columns=columns, words=words, harm=harm)
    for family, rows in _BY_FAMILY.items()
    for name, file, columns, words, harm in rows
)
