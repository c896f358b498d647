"""Connection strings of PostgreSQL and ODBC, read strictly: what could be read in two ways is refused, never repeated.

```
postgresql://user:password@host:5432,other:5433/database?sslmode=require     one @ at most, the rest as %40
host=… port=… user=… password='…' dbname=…                                   each name once
Driver={…};Server=…;Port=…;Database=…;UID=…;PWD={…}                           of ODBC: each name once, } as }}
```
A password with an unescaped sign would be cut by the driver, which then quotes its rest as the name of a host.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

#: What a message says is allowed.
ALLOWED = (
    "postgresql://user:password@host:5432/database, with each @ / ? % and blank inside a part percent-encoded (@ is "
    "%40), or host=… port=… user=… password='…' dbname=…"
)

#: The same of ODBC.
ALLOWED_BY_ODBC = (
    "Driver={…};Server=…;Database=…;UID=…;PWD={…} or DSN=…;UID=…;PWD={…}, with each value that holds ; { } in braces, "
    "where } is }}"
)

#: What drivers call the parts that a message may show or that are no secret.
_NAMES_OF_ODBC = {
    **dict.fromkeys(("server", "servername", "hostname", "host", "address", "addr", "system"), "host"),
    **dict.fromkeys(("database", "db", "dbalias", "dbname"), "dbname"),
    **dict.fromkeys(("uid", "user", "username", "user id"), "user"),
    **dict.fromkeys(("driver", "dsn"), "driver"),
    "port": "port",
}
_ODBC_PART = re.compile(
    r"\s*(?P<name>[A-Za-z][A-Za-z0-9_ ]*?)\s*=\s*(?:\{(?P<braced>(?:[^}]|\}\})*)\}\s*|(?P<plain>[^;{}]*))(?:;|$)"
)

_HOST = r"(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})*|\[[0-9A-Fa-f:.%]+\]"
_URL = re.compile(
    r"postgres(?:ql)?://(?:(?P<user>[^\s:@/?#]*)(?::(?P<password>[^\s@/?]*))?@)?"
    rf"(?P<hosts>(?:{_HOST})(?::\d*)?(?:,(?:{_HOST})(?::\d*)?)*)"
    r"(?:/(?P<dbname>[^\s@/?#:]*))?(?:\?(?P<options>[^\s@#]*))?"
)
_OPTION = re.compile(r"(?P<name>[A-Za-z_]+)=(?P<value>[^=&]*)")
_PAIR = re.compile(r"\s*(?P<name>[a-z_]+)\s*=\s*(?:'(?P<quoted>(?:[^'\\]|\\.)*)'|(?P<plain>(?:[^\s'\\]|\\.)+))(?=\s|$)")
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")

#: A server's place as a message may show it: a name, an address, or the folder of a socket.
_PLACE = re.compile(r"[A-Za-z0-9._:-]+|/[A-Za-z0-9._/-]+")

#: Parts that name a server and its database; any other part may be secret.
_OPEN = frozenset({"host", "hostaddr", "port", "dbname", "user", "driver"})

#: A text that shares so many characters in a row with a secret may hold a part of it.
_SHARED = 4


@dataclass(frozen=True)
class ConnectionString:
    """What a connection string says, by the names of its parts: host, port, user, password, dbname and options."""

    parts: tuple[tuple[str, str], ...]

    @property
    def place(self) -> str:
        """The server's host and port for a message, '' where it has none or they look like a secret."""
        shown = []
        for name, value in self.parts:
            is_host = name == "host" and _PLACE.fullmatch(value)
            if value and (is_host or (name == "port" and value.isdecimal())):
                shown.append(f"{name} {value}")
        return "" if self.may_hold_secret(" ".join(shown)) else ", ".join(shown)

    def may_hold_secret(self, text: str) -> bool:
        """Whether a text shares four characters in a row with a secret part, or holds the whole of a shorter one."""
        return any(_shares(text, secret) for secret in self._secrets())

    def _secrets(self) -> Iterable[str]:
        hidden = [value for name, value in self.parts if name not in _OPEN]
        hidden += [os.environ.get(name, "") for name in ("PGPASSWORD", "PGPASSFILE")]
        return dict.fromkeys(secret for value in hidden for secret in (value, unquote(value)) if secret)


def parse(text: str) -> ConnectionString | None:
    """Return what a connection string says, or None if it is none or could be read in two ways."""
    parts = _of_url(text) if text.startswith(("postgres://", "postgresql://")) else _of_pairs(text)
    if parts is None or any("\0" in value for _, value in parts):
        return None
    return ConnectionString(tuple(parts))


def parse_odbc(text: str) -> ConnectionString | None:
    """Return what a connection string of ODBC says, or None if it is none or could be read in two ways."""
    parts: dict[str, str] = {}
    position = 0
    while text[position:].strip():
        found = _ODBC_PART.match(text, position)
        if not found or found["name"].lower() in parts or "\0" in found[0]:
            return None
        braced, plain = found["braced"], (found["plain"] or "").strip()
        parts[found["name"].lower()] = plain if braced is None else braced.replace("}}", "}")
        position = found.end()
    if not {"driver", "dsn", "filedsn"} & parts.keys():
        return None
    return ConnectionString(tuple((_NAMES_OF_ODBC.get(name, name), value) for name, value in parts.items()))


def _of_url(text: str) -> list[tuple[str, str]] | None:
    found = _URL.fullmatch(text)
    if not found or _PERCENT.search(text):
        return None
    parts = [(name, found[name]) for name in ("user", "password", "dbname") if found[name] is not None]
    for server in found["hosts"].split(","):
        host, port = re.fullmatch(rf"({_HOST})(?::(\d*))?", server).groups()  # type: ignore[union-attr]
        parts += [("host", host), ("port", port or "")]
    for option in found["options"].split("&") if found["options"] else []:
        said = _OPTION.fullmatch(option)
        if not said or said["name"] in {name for name, value in parts if value}:
            return None
        parts.append((said["name"], said["value"]))
    return [(name, unquote(value)) for name, value in parts]


def _of_pairs(text: str) -> list[tuple[str, str]] | None:
    parts: dict[str, str] = {}
    position = 0
    while text[position:].strip():
        found = _PAIR.match(text, position)
        # libpq takes `user= password=x` for the user 'password=x'.
        if not found or found["name"] in parts or re.match(r"[a-z_]+=", found["plain"] or ""):
            return None
        value = found["quoted"] if found["quoted"] is not None else found["plain"]
        parts[found["name"]] = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
        position = found.end()
    return list(parts.items()) or None


def _shares(text: str, secret: str) -> bool:
    if len(secret) < _SHARED:
        return re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text) is not None
    return any(secret[first : first + _SHARED] in text for first in range(len(secret) - _SHARED + 1))
