"""Local times of a bank's zone as instants in UTC, by one rule on every engine.

```
clocks go back at 03:00      02:30 comes twice ──► the second: a row is known no earlier than it was
clocks go forward at 02:00   02:30 never comes ──► 03:30, as if they had not moved yet
```
Engines agree on what a clock shows at an instant, and differ on the way back; so only the former is asked.
"""

from __future__ import annotations

from tenure.define.dialect import Dialect
from tenure.sql.dialects import op
from tenure.sql.expressions import at_least, call, cases, equal, grouped

#: From here on a time stands for an open end, and is no bank's clock.
_OPEN_END = "TIMESTAMP '9998-01-01 00:00:00'"

#: Clocks of one place are never moved twice within two days.
_A_DAY = "INTERVAL '1' DAY"


def instant_of_local(local: str, zone: str, dialect: Dialect) -> str:
    """Return the instant at which clocks of a zone show a time, as a TIMESTAMP in UTC."""
    before, after = (_with_offset_at(f"{local} {sign} {_A_DAY}", local, zone, dialect) for sign in "-+")
    later, earlier = call("GREATEST", before, after), call("LEAST", before, after)
    shown = [(equal(op("clock", dialect, instant, zone), local), instant) for instant in (later, earlier)]
    return cases([(at_least(local, _OPEN_END), local), *shown], otherwise=before)


def _with_offset_at(asked: str, local: str, zone: str, dialect: Dialect) -> str:
    """The instant of a local time if the zone's offset is the one of another instant."""
    asked = grouped(asked)
    return grouped(f"{local} - ({op('clock', dialect, asked, zone)} - {asked})")
