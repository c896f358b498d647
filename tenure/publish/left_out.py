"""Which features the champion does not read, by the reason why, for the report."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any

import pandas as pd

MOST_REASONS = 20
"""Reasons that the page has, those of most features first; the registry has all."""

MOST_NAMES = 12
"""Features that the page names for one reason."""


def left_out(champion: pd.Series) -> list[dict[str, Any]]:
    """Return a record a reason, that of most features first: reason, features (how many), names (the first few).

    Of a constant feature the value stays in the registry, since it may be personal. A registry of an older Tenure may
    have no reasons: there are no records then.
    """
    dropped = champion.get("dropped")
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in json.loads(dropped).items() if isinstance(dropped, str) else ():
        by_reason[_without_value(reason)].append(name)
    ordered = sorted(by_reason.items(), key=lambda one: (-len(one[1]), one[0]))
    return [
        {"reason": reason, "features": len(names), "names": _some(sorted(names))}
        for reason, names in ordered[:MOST_REASONS]
    ]


def _without_value(reason: str) -> str:
    return re.sub(r"^(constant on train): .*$", r"\1", reason, flags=re.DOTALL)


def _some(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
