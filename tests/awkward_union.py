"""A credit union's export that nobody shaped for Tenure, and the same bank in clean form.

Semicolons, latin-1, dd/mm/yyyy with 00/00/0000, European numbers, a gzip a month, JSON lines, joint owners, members as
they are today with closing reasons, a month that is missing, and corrections that come late, by version number.
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pyarrow.parquet as pq

from tenure.demo import generate_bank

#: The month that never reached the export.
MISSING = "2024-08"

REASONS = ("MOVED", "BETTER RATE", "SERVICE", "OTHER")

Row = dict[str, str]


@dataclass(frozen=True)
class Form:
    """How a bank writes its tables."""

    delimiter: str
    encoding: str
    ending: str
    day: Callable[[str], str]
    moment: Callable[[str], str]
    number: Callable[[str], str]
    packed: bool


AWKWARD = Form(
    delimiter=";",
    encoding="latin-1",
    ending="TXT",
    day=lambda text: date.fromisoformat(text[:10]).strftime("%d/%m/%Y") if text else "00/00/0000",
    moment=lambda text: datetime.fromisoformat(text).strftime("%d/%m/%Y %H:%M:%S") if text else "",
    number=lambda text: f"{float(text):,.2f}".translate(str.maketrans(",.", ".,")) if text else "",
    packed=True,
)

CLEAN = Form(
    delimiter=",",
    encoding="utf-8",
    ending="csv",
    day=lambda text: text[:10],
    moment=lambda text: text[:19],
    number=lambda text: f"{float(text):.2f}" if text else "",
    packed=False,
)


def write_unions(folder: Path, customers: int = 600) -> tuple[Path, Path]:
    """Write both forms of one bank; return their folders: awkward, clean."""
    generate_bank(folder / "bank", customers=customers)
    raw = folder / "bank" / "data"
    people = _newest(raw / "customers.csv", "customer_id")
    held = _newest(raw / "accounts.csv", "account_id")
    booked = [row for row in _transactions(raw) if not row["booked_at"].startswith(MISSING)]
    contacts = [row for row in _rows(raw / "interactions.csv") if row["customer_id"] in people]
    for name, form in (("export", AWKWARD), ("clean", CLEAN)):
        place = folder / name
        place.mkdir()
        _write(form, place / f"MEMBERS.{form.ending}", _members(form, people, held))
        _write(form, place / f"ACCOUNTS.{form.ending}", _accounts(form, held))
        _write(form, place / f"OWNERS.{form.ending}", _owners(people, held))
        for month, rows in _by_month(form, booked).items():
            _write(form, place / f"TXN-{month}.csv", rows, packed=form.packed)
        with (place / "contacts.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(_contact(row))}\n" for row in contacts)
    return folder / "export", folder / "clean"


def _rows(file: Path) -> list[Row]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _newest(file: Path, key: str) -> dict[str, Row]:
    """The newest version of each row."""
    found: dict[str, Row] = {}
    for row in sorted(_rows(file), key=lambda row: row["updated_at"]):
        if row[key].isdigit():
            found[row[key]] = row
    return found


def _transactions(raw: Path) -> list[Row]:
    found = []
    for file in sorted((raw / "transactions").glob("*.parquet")):
        found += [{k: "" if v is None else str(v) for k, v in row.items()} for row in pq.read_table(file).to_pylist()]
    return sorted(found, key=lambda row: row["recorded_at"])


def _members(form: Form, people: dict[str, Row], held: dict[str, Row]) -> Iterable[Row]:
    closed: dict[str, list[str]] = {}
    for row in held.values():
        closed.setdefault(row["customer_id"], []).append(row["closed_on"])
    for key, row in people.items():
        end = max(closed[key]) if key in closed and all(closed[key]) else ""
        yield {
            "MemberNo": key.zfill(9),
            "Full Name": f"{row['full_name']} Müller",
            "E-Mail": row["email"],
            "Born": form.day(row["birth_date"]),
            "Region": row["region"],
            "Segment": row["customer_type"],
            "Joined": form.day(row["joined_on"]),
            "Closed": form.day(end),
            "Close Reason": REASONS[int(key) % len(REASONS)] if end else "",
        }


def _accounts(form: Form, held: dict[str, Row]) -> Iterable[Row]:
    for row in held.values():
        yield {
            "AcctNo": row["account_id"],
            "Product": row["product"],
            "Opened": form.day(row["opened_on"]),
            "Closed": form.day(row["closed_on"]),
            "Limit": form.number(row["overdraft_limit"]),
        }


def _owners(people: dict[str, Row], held: dict[str, Row]) -> Iterable[Row]:
    """Each account's first owner, and of every ninth one a second."""
    keys = list(people)
    for number, row in enumerate(held.values()):
        owner = row["customer_id"]
        if owner not in people:
            continue
        yield {"AcctNo": row["account_id"], "MemberNo": owner.zfill(9), "Role": "PRIMARY"}
        second = keys[number % len(keys)]
        if number % 9 == 0 and second != owner:
            yield {"AcctNo": row["account_id"], "MemberNo": second.zfill(9), "Role": "JOINT"}


def _by_month(form: Form, booked: Iterable[Row]) -> dict[str, list[Row]]:
    """The bookings by the month in which they were recorded; a correction is a higher version, in a later file."""
    versions: dict[str, int] = {}
    months: dict[str, list[Row]] = {}
    for row in booked:
        key = row["transaction_id"]
        versions[key] = versions.get(key, 0) + 1
        months.setdefault(row["recorded_at"][:7], []).append(
            {
                "TxnId": key,
                "Version": str(versions[key]),
                "AcctNo": row["account_id"],
                "Booked": form.moment(row["booked_at"]),
                "Recorded": form.moment(row["recorded_at"]),
                "Amount": form.number(row["amount"]),
                "Direction": row["direction"],
                "Category": row["category"],
                "Channel": row["channel"],
                "Balance": form.number(row["balance_after"]),
            }
        )
    return months


def _contact(row: Row) -> dict[str, str | None]:
    return {
        "contactId": row["interaction_id"],
        "memberNo": row["customer_id"].zfill(9),
        "at": row["occurred_at"],
        "kind": row["kind"],
        "topic": row["topic"] or None,
    }


def _write(form: Form, file: Path, rows: Iterable[Row], *, packed: bool = False) -> None:
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=form.delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    content = text.getvalue().encode(form.encoding, errors="replace")
    if packed:
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(content))
    else:
        file.write_bytes(content)
