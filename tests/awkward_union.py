"""A credit union's export that nobody shaped for Tenure, and the same bank in clean form.

Semicolons, latin-1, dd/mm/yyyy with 00/00/0000, European numbers, a gzip a month, JSON lines, joint owners, members as
they are today with closing reasons, a month that is missing, and corrections that come late, by version number.
"""

import csv
import gzip
import json
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tenure.demo import generate_bank

#: The month that never reached the export.
MISSING = "2024-08"

REASONS = {0: "MOVED", 1: "BETTER RATE", 2: "SERVICE", 3: "OTHER"}


def write_unions(folder: Path, customers: int = 600) -> tuple[Path, Path]:
    """Write both forms of one bank; return their folders: awkward, clean."""
    raw = folder / "raw"
    generate_bank(folder / "bank", customers=customers)
    (folder / "bank" / "data").rename(raw)
    people, ends = _members(raw)
    held = _accounts(raw)
    booked = [row for row in _transactions(raw) if not row["booked_at"].startswith(MISSING)]
    awkward, clean = folder / "export", folder / "clean"
    for place in (awkward, clean):
        place.mkdir()
    _write_awkward(awkward, people, ends, held, booked, raw)
    _write_clean(clean, people, ends, held, booked, raw)
    return awkward, clean


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _members(raw: Path) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """The newest version of each customer, and the day on which the last account of each was closed, '' if one is open."""
    newest: dict[str, dict[str, str]] = {}
    for row in sorted(_rows(raw / "customers.csv"), key=lambda row: row["updated_at"]):
        if row["customer_id"].isdigit():
            newest[row["customer_id"]] = row
    closed: dict[str, list[str]] = {}
    for row in _accounts(raw).values():
        closed.setdefault(row["customer_id"], []).append(row["closed_on"])
    ends = {key: max(closed[key]) if key in closed and all(closed[key]) else "" for key in newest}
    return newest, ends


def _accounts(raw: Path) -> dict[str, dict[str, str]]:
    newest: dict[str, dict[str, str]] = {}
    for row in sorted(_rows(raw / "accounts.csv"), key=lambda row: row["updated_at"]):
        newest[row["account_id"]] = row
    return newest


def _transactions(raw: Path) -> list[dict[str, str]]:
    found = []
    for file in sorted((raw / "transactions").glob("*.parquet")):
        found += [{k: "" if v is None else str(v) for k, v in row.items()} for row in pq.read_table(file).to_pylist()]
    return found


def _day(text: str) -> str:
    return date.fromisoformat(text[:10]).strftime("%d/%m/%Y") if text else "00/00/0000"


def _number(text: str) -> str:
    if not text:
        return ""
    return f"{float(text):,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%d/%m/%Y %H:%M:%S") if text else ""


def _write(file, header: list[str], rows: list[list[str]]) -> None:
    writer = csv.writer(file, delimiter=";")
    writer.writerow(header)
    writer.writerows(rows)


def _write_awkward(folder, people, ends, held, booked, raw) -> None:
    with (folder / "MEMBERS.TXT").open("w", newline="", encoding="latin-1", errors="replace") as file:
        header = ["MemberNo", "Full Name", "E-Mail", "Born", "Region", "Segment", "Joined", "Closed", "Close Reason"]
        rows = []
        for key, row in people.items():
            reason = REASONS[int(key) % 4] if ends[key] else ""
            rows.append([key.zfill(9), f"{row['full_name']} Müller", row["email"], _day(row["birth_date"]), row["region"],
                         row["customer_type"], _day(row["joined_on"]), _day(ends[key]), reason])  # fmt: skip
        _write(file, header, rows)
    with (folder / "ACCOUNTS.TXT").open("w", newline="", encoding="latin-1") as file:
        rows = [[row["account_id"], row["product"], _day(row["opened_on"]), _day(row["closed_on"]),
                 _number(row["overdraft_limit"])] for row in held.values()]  # fmt: skip
        _write(file, ["AcctNo", "Product", "Opened", "Closed", "Limit"], rows)
    with (folder / "OWNERS.TXT").open("w", newline="", encoding="latin-1") as file:
        keys = list(people)
        rows = []
        for number, row in enumerate(held.values()):
            if row["customer_id"] in people:
                rows.append([row["account_id"], row["customer_id"].zfill(9), "PRIMARY"])
                if number % 9 == 0 and keys[number % len(keys)] != row["customer_id"]:
                    rows.append([row["account_id"], keys[number % len(keys)].zfill(9), "JOINT"])
        _write(file, ["AcctNo", "MemberNo", "Role"], rows)
    months: dict[str, list[list[str]]] = {}
    seen: dict[str, int] = {}
    for row in sorted(booked, key=lambda row: row["recorded_at"]):
        seen[row["transaction_id"]] = seen.get(row["transaction_id"], 0) + 1
        months.setdefault(row["recorded_at"][:7], []).append(
            [row["transaction_id"], str(seen[row["transaction_id"]]), row["account_id"], _moment(row["booked_at"]),
             _moment(row["recorded_at"]), _number(row["amount"]), row["direction"], row["category"], row["channel"],
             _number(row["balance_after"])]
        )  # fmt: skip
    header = [
        "TxnId",
        "Version",
        "AcctNo",
        "Booked",
        "Recorded",
        "Amount",
        "Direction",
        "Category",
        "Channel",
        "Balance",
    ]
    for month, rows in months.items():
        with gzip.open(folder / f"TXN-{month}.csv.gz", "wt", newline="", encoding="latin-1") as file:
            _write(file, header, rows)
    with (folder / "contacts.jsonl").open("w", encoding="utf-8") as file:
        for row in _rows(raw / "interactions.csv"):
            if row["customer_id"] in people and row["occurred_at"][:2] == "20":
                made = {"contactId": row["interaction_id"], "memberNo": row["customer_id"].zfill(9),
                        "at": row["occurred_at"], "kind": row["kind"], "topic": row["topic"] or None}  # fmt: skip
                file.write(json.dumps(made) + "\n")


def _write_clean(folder, people, ends, held, booked, raw) -> None:
    members = [{"member_id": key.zfill(9), "region": row["region"], "segment": row["customer_type"],
                "joined_on": date.fromisoformat(row["joined_on"]),
                "closed_on": date.fromisoformat(ends[key]) if ends[key] else None} for key, row in people.items()]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(members), folder / "members.parquet")
    owner = {row["account_id"]: row["customer_id"].zfill(9) for row in held.values()}
    rows = [{"transaction_id": int(row["transaction_id"]), "member_id": owner.get(row["account_id"]),
             "booked_at": datetime.fromisoformat(row["booked_at"]), "recorded_at": datetime.fromisoformat(row["recorded_at"]),
             "amount": float(row["amount"]), "direction": row["direction"], "channel": row["channel"]}
            for row in booked]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), folder / "transactions.parquet")
