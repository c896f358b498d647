"""ChurnDefinition: which event is attrition, over which time, and for whom the question makes sense.

  eligible: open at t,                      t    gap
  minimum tenure, active before             ┊
 ────[ t − active_within ··················)┊······[ label_start ······ event? ······ label_end )───►
                                                     t + gap                          t + gap + horizon

A label has no row, rather than a 0, where the question has no answer: the horizon ends after the data
(censored), the customer left within the gap, or the event can't be measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from tenure.define.naming import check_name, definition_place
from tenure.errors import InvalidDefinition

#: The longest horizon, gap or look-back: ten years.
MOST_DAYS = 3660


@dataclass(frozen=True)
class Closure:
    """The customer's row ends in [label_start, label_end): hard attrition."""


@dataclass(frozen=True)
class Inactivity:
    """No row of `source` (that meets `where`) in [label_start, label_end): silent attrition."""

    source: str
    where: str = field(default="", kw_only=True)


@dataclass(frozen=True)
class BalanceDecline:
    """The mean of `of` in [label_start, label_end) falls under `below` × its mean in [t − baseline, t).

    Not measurable, so no label row, where either span has no value or the baseline's mean is not positive.
    """

    source: str
    of: str = field(kw_only=True)
    below: float = field(default=0.7, kw_only=True)
    baseline: int = field(default=90, kw_only=True)
    where: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not (0 < self.below < 1 and self.baseline >= 1):
            raise InvalidDefinition(
                f"BalanceDecline has below={self.below}, baseline={self.baseline} ({definition_place()}); "
                "below is a share in (0, 1), baseline whole days, 1 or more."
            )


@dataclass(frozen=True)
class AnyOf:
    """Churn if any of the events happens."""

    events: tuple[Event, ...]


@dataclass(frozen=True)
class AllOf:
    """Churn if all of the events happen."""

    events: tuple[Event, ...]


Event: TypeAlias = Closure | Inactivity | BalanceDecline | AnyOf | AllOf


def any_of(*events: Event) -> AnyOf:
    """Return the event that happens when any of `events` does."""
    return AnyOf(_at_least_two(events))


def all_of(*events: Event) -> AllOf:
    """Return the event that happens when all of `events` do."""
    return AllOf(_at_least_two(events))


def _at_least_two(events: Sequence[Event]) -> tuple[Event, ...]:
    if len(events) < 2:
        raise InvalidDefinition(f"any_of and all_of combine two events or more ({definition_place()}).")
    return tuple(events)


@dataclass(frozen=True)
class Activity:
    """At least one row of `source` (that meets `where`) in [t − within, t), known before t."""

    source: str
    within: int = field(kw_only=True)
    where: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if not _is_days(self.within, least=1):
            raise InvalidDefinition(
                f"Activity has within={self.within!r} ({definition_place()}); whole days, 1 to {MOST_DAYS}."
            )


@dataclass(frozen=True)
class ChurnDefinition:
    """Attrition: an event in [t + gap, t + gap + horizon), asked of eligible customers. All times in days.

    Eligible at t: a customer (open at t) for at least `min_tenure` days and, if given, `active` before t.
    """

    name: str
    event: Event = field(kw_only=True)
    horizon: int = field(kw_only=True)
    gap: int = field(default=0, kw_only=True)
    min_tenure: int = field(default=0, kw_only=True)
    active: Activity | None = field(default=None, kw_only=True)
    doc: str = field(default="", kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        place = definition_place()
        object.__setattr__(self, "where_defined", place)
        check_name("churn definition", self.name, where=place)
        if not (_is_days(self.horizon, least=1) and _is_days(self.gap) and _is_days(self.min_tenure, most=36600)):
            raise InvalidDefinition(
                f"churn definition '{self.name}' has horizon={self.horizon}, gap={self.gap}, "
                f"min_tenure={self.min_tenure} ({place}); whole days: "
                f"horizon 1 to {MOST_DAYS}, gap 0 to {MOST_DAYS}, min_tenure 0 or more."
            )

    @property
    def events(self) -> tuple[Closure | Inactivity | BalanceDecline, ...]:
        """The simple events, in reading order."""
        return _leaves(self.event)


def _is_days(value: object, *, least: int = 0, most: int = MOST_DAYS) -> bool:
    return isinstance(value, int) and least <= value <= most


def _leaves(event: Event) -> tuple[Closure | Inactivity | BalanceDecline, ...]:
    if isinstance(event, AnyOf | AllOf):
        return tuple(leaf for part in event.events for leaf in _leaves(part))
    return (event,)
