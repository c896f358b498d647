"""Refused customers: who was forgotten, kept as keyed hashes alone, so that staging refuses their rows from then on.

lake/_refused_key      32 random bytes, made once, for the owner alone; no page, list or table holds it
lake/_refused.json     {"customers": {HMAC-SHA256 of the key: when},
                        "accounts": {HMAC-SHA256 of the names and values of an account that was theirs alone: when},
                        "unfinished": {of a key that is being forgotten: the models that saw the customer}}

Without the key a hash can't be tried out: of integer keys each could be guessed in seconds.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from tenure.errors import DamagedLake, StoreError
from tenure.storage.location import Location
from tenure.store.digests import read_own, write_own

FILE_NAME, KEY_NAME = "_refused.json", "_refused_key"

_KEY_BYTES = 32

#: Accounts' columns → the values, in text, of those that are some customers' alone.
Accounts: TypeAlias = Mapping[tuple[str, ...], Collection[tuple[str, ...]]]

_NONE: Accounts = MappingProxyType({})


@dataclass(frozen=True)
class Refused:
    """The customers and accounts whose rows staging refuses: the hash of each with the time.

    `unfinished` are the customers who are not forgotten wholly yet, each with the models that saw them.
    """

    key: bytes
    customers: Mapping[str, str]
    accounts: Mapping[str, str] = field(default_factory=dict)
    unfinished: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.customers)

    def hash_of(self, key: Sequence[str]) -> str:
        """Return the keyed hash of an entity key, whose parts are texts in the key's order."""
        return self._hashed(list(key))

    def holds(self, key: Sequence[str]) -> bool:
        """Return whether the customer of this key is refused."""
        return self.hash_of(key) in self.customers

    def hash_of_account(self, names: Sequence[str], key: Sequence[str]) -> str:
        """Return the keyed hash of an account, whose columns have these names."""
        return self._hashed([list(names), list(key)])

    def holds_account(self, names: Sequence[str], key: Sequence[str]) -> bool:
        """Return whether an account was that of forgotten customers alone."""
        return self.hash_of_account(names, key) in self.accounts

    def _hashed(self, said: list[Any]) -> str:
        return hmac.digest(self.key, json.dumps(said).encode(), "sha256").hex()


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
    customers, accounts, unfinished = (content.get(name) for name in ("customers", "accounts", "unfinished"))
    if not (isinstance(customers, dict) and isinstance(accounts, dict) and isinstance(unfinished, dict)):
        raise _damaged(file, "can't be read")
    return Refused(_read_key(lake), customers, accounts, unfinished)


def begin_refusing(
    lake: Location, keys: Iterable[Sequence[str]], accounts: Accounts = _NONE, models: Sequence[str] = ()
) -> Refused:
    """Refuse customers, and accounts that are theirs alone, from now on; hold the lake's lock. Return who is refused.

    They are being forgotten until `end_forgetting`. `models` saw them; what a stopped run noted of that stays.
    """
    if not (lake / FILE_NAME).exists():
        # A key without a list refuses nobody; a list without its key is damaged, which reading it says.
        _make_key(lake / KEY_NAME)
    before, now = read_refused(lake), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    known = replace(before, key=_read_key(lake))
    hashes = [known.hash_of(key) for key in keys]
    theirs = [known.hash_of_account(names, key) for names, found in accounts.items() for key in found]
    saw = {one: sorted({*models, *before.unfinished.get(one, ())}) for one in hashes}
    refused = Refused(
        known.key,
        {**dict.fromkeys(hashes, now), **before.customers},
        {**dict.fromkeys(theirs, now), **before.accounts},
        {**before.unfinished, **saw},
    )
    _write(lake, refused)
    return refused


def end_forgetting(lake: Location, hashes: Iterable[str]) -> None:
    """Note that nothing of these customers is left; hold the lake's lock."""
    before, ended = read_refused(lake), set(hashes)
    _write(lake, replace(before, unfinished={one: saw for one, saw in before.unfinished.items() if one not in ended}))


def require_forgotten_wholly(lake: Location) -> None:
    """Raise StoreError if a run that forgets customers was stopped before it had ended."""
    if (lake / FILE_NAME).exists() and read_refused(lake).unfinished:
        raise StoreError(
            f"a run of 'tenure forget' in the lake '{lake}' was stopped before it had ended; nothing else writes until "
            "it has.",
            hint="Run the same 'tenure forget' again: it goes on.",
        )


def _write(lake: Location, refused: Refused) -> None:
    written = {name: dict(getattr(refused, name)) for name in ("customers", "accounts", "unfinished")}
    write_own(lake / FILE_NAME, written)


def _make_key(file: Location) -> None:
    text = secrets.token_hex(_KEY_BYTES).encode()
    if not isinstance(file, Path):
        file.write(text)
        return
    incoming = file.with_name(f".{file.name}.incoming")
    incoming.unlink(missing_ok=True)
    handle = os.open(incoming, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    incoming.replace(file)


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
