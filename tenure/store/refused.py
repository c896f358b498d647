"""Refused customers: who was forgotten, kept as keyed hashes alone, so that staging refuses their rows from then on.

lake/_refused_key      32 random bytes, made once, for the owner alone; no page, list or table holds it
lake/_refused.json     {"customers": {HMAC-SHA256 of the key: when}, "unfinished": [those that are being forgotten]}

Without the key a hash can't be tried out: of integer keys each could be guessed in seconds.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tenure.errors import DamagedLake, StoreError
from tenure.storage.location import Location
from tenure.store.digests import read_own, write_own

FILE_NAME, KEY_NAME = "_refused.json", "_refused_key"

_KEY_BYTES = 32


@dataclass(frozen=True)
class Refused:
    """The customers whose rows staging refuses: the hash of each with the time, and those not yet forgotten wholly."""

    key: bytes
    customers: Mapping[str, str]
    unfinished: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.customers)

    def hash_of(self, key: Sequence[str]) -> str:
        """Return the keyed hash of an entity key, whose parts are texts in the key's order."""
        return hmac.digest(self.key, json.dumps(list(key)).encode(), "sha256").hex()

    def holds(self, key: Sequence[str]) -> bool:
        """Return whether the customer of this key is refused."""
        return self.hash_of(key) in self.customers


def read_refused(lake: Location) -> Refused:
    """Return who is refused; nobody where nobody was forgotten.

    Raises DamagedLake if the list or its key is not as it was written: staging would let forgotten rows in.
    """
    file = lake / FILE_NAME
    content = read_own(file)
    if content is None:
        if file.exists():
            raise _damaged(file, "is not as it was written")
        return Refused(b"", {})
    customers, unfinished = content.get("customers"), content.get("unfinished")
    if not isinstance(customers, dict) or not isinstance(unfinished, list):
        raise _damaged(file, "can't be read")
    return Refused(_read_key(lake), customers, frozenset(map(str, unfinished)))


def begin_refusing(lake: Location, keys: Iterable[Sequence[str]]) -> Refused:
    """Refuse customers from now on, as being forgotten; hold the lake's lock. Returns who is refused now."""
    if not (lake / KEY_NAME).exists():
        # A list without its key is damaged, which reading it says; a key without a list refuses nobody.
        read_refused(lake)
        _make_key(lake / KEY_NAME)
    before, now = read_refused(lake), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    known = Refused(_read_key(lake), before.customers)
    hashes = [known.hash_of(key) for key in keys]
    customers = {**dict.fromkeys(hashes, now), **before.customers}
    _write(lake, customers, before.unfinished | set(hashes))
    return read_refused(lake)


def end_forgetting(lake: Location, hashes: Iterable[str]) -> None:
    """Note that nothing of these customers is left; hold the lake's lock."""
    before = read_refused(lake)
    _write(lake, before.customers, before.unfinished - set(hashes))


def require_forgotten_wholly(lake: Location) -> None:
    """Raise StoreError if a run that forgets customers was stopped before it had ended."""
    if (lake / FILE_NAME).exists() and read_refused(lake).unfinished:
        raise StoreError(
            f"a run of 'tenure forget' in the lake '{lake}' was stopped before it had ended; nothing else writes until "
            "it has.",
            hint="Run the same 'tenure forget' again: it goes on.",
        )


def _write(lake: Location, customers: Mapping[str, str], unfinished: Iterable[str]) -> None:
    write_own(lake / FILE_NAME, {"customers": dict(customers), "unfinished": sorted(unfinished)})


def _make_key(file: Location) -> None:
    text = secrets.token_hex(_KEY_BYTES).encode()
    if not isinstance(file, Path):
        file.write(text)
        return
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())


def _read_key(lake: Location) -> bytes:
    file = lake / KEY_NAME
    try:
        key = bytes.fromhex(file.read_bytes().decode("ascii"))
    except FileNotFoundError as error:
        raise _damaged(file, "is gone") from error
    except ValueError as error:
        raise _damaged(file, "can't be read") from error
    if len(key) != _KEY_BYTES:
        raise _damaged(file, "is cut short")
    return key


def _damaged(file: Location, what: str) -> DamagedLake:
    return DamagedLake(
        f"'{file}' {what}: without it nobody can tell whose rows were forgotten, and nothing is staged.",
        hint=f"Restore '{FILE_NAME}' and '{KEY_NAME}' of the lake from a backup.",
    )
