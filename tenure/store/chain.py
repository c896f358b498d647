"""The ledger's chain: each row holds the SHA-256 of itself and of the row before; the newest also stands elsewhere.

row 1 ──► chain 1 ─┐
row 2 ─────────────┴► chain 2 ─┐                lake/_ledger.json   {"rows": 3, "chain": chain 3, "version": 2}
row 3 ─────────────────────────┴► chain 3       the anchor: a row that is taken from the end is missed

A changed row breaks its own link, a removed one that of the row after it. A run that is killed between its row and the
anchor leaves the anchor at an earlier row, which is no damage.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from tenure.storage.location import Location, make_folder
from tenure.store.digests import read_own, write_own

#: The anchor's file, in the lake's folder.
ANCHOR = "_ledger.json"

#: The ledger's column that holds each row's link.
LINK = "chain"


@dataclass(frozen=True)
class Anchor:
    """What is known of the ledger outside it: how many rows it had, the link of the newest, and its table's version."""

    rows: int
    chain: str
    version: int


def read_anchor(lake: Location) -> Anchor | None:
    """Return the anchor; None if there is none, or it is not as it was written."""
    noted = read_own(lake / ANCHOR)
    try:
        return Anchor(int(str(noted["rows"])), str(noted["chain"]), int(str(noted["version"]))) if noted else None
    except (KeyError, ValueError):
        return None


def write_anchor(lake: Location, anchor: Anchor) -> None:
    """Put the anchor in place of the old one; hold the lake's lock."""
    make_folder(lake)
    write_own(lake / ANCHOR, asdict(anchor))


def linked(rows: Sequence[Mapping[str, Any]], before: str) -> list[dict[str, Any]]:
    """Return rows each with its link to the one before it; `before` is the link of the row before the first, or ''."""
    found = []
    for row in rows:
        before = _link(row, before)
        found.append({**row, LINK: before})
    return found


def newest_link(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the link of the last row, in the ledger's order; '' if none has any, as in a lake of an older Tenure."""
    return next((str(row[LINK]) for row in reversed(rows) if row.get(LINK)), "")


def problems(rows: Sequence[Mapping[str, Any]], lake: Location) -> Iterator[str]:
    """Yield what is wrong with a ledger's chain, as clauses about its anchor; `rows` are in the ledger's order."""
    before = ""
    for number, row in enumerate(rows, 1):
        link = str(row.get(LINK) or "")
        if link != (_link(row, before) if before or link else ""):
            yield f"does not lead to row {number} of the ledger: it was changed, or one before it is gone"
            return
        before = link
    anchor = read_anchor(lake)
    if before and anchor is None:
        yield "is not as it was written" if (lake / ANCHOR).exists() else "is gone"
    if anchor and anchor.chain not in {"", *(row.get(LINK) for row in rows)}:
        yield f"tells of {anchor.rows:,} rows of the ledger, which has {len(rows):,}: its newest are gone"


def _link(row: Mapping[str, Any], before: str) -> str:
    cells = json.dumps({name: cell for name, cell in row.items() if name != LINK}, sort_keys=True, default=str)
    return sha256(f"{before}\n{cells}".encode()).hexdigest()
