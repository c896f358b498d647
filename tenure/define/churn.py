"""ChurnDefinition: which event is attrition, over which time, and for whom the question makes sense.

  eligible: open at t,                      t    gap
  minimum tenure, active before             ┊
 ────[ t − active_within ··················)┊······[ label_start ······ event? ······ label_end )───►
                                                     t + gap                          t + gap + horizon

A label has no row, rather than a 0, where the question has no answer: the horizon ends after the data
(censored), the customer left within the gap, or the event can't be measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tenure.define.naming import check_name, definition_place
from tenure.define.shape import NAME, TEXT, Allowed, ByKind, check_shape, instance_of, list_of, named, share, whole
from tenure.errors import InvalidDefinition

#: The longest horizon, gap or look-back: ten years.
MOST_DAYS = 3660

#: The longest minimum tenure: a hundred years.
MOST_TENURE = 36600

# Each event answers for itself:
#
#   reads    the sources whose rows it looks at, beside the customer's own row, which every label reads
#   bounds   those of them whose last event ends the data: after it nobody could be seen, so nothing is known
#   words    what counts as leaving, as a clause
#
# What stands higher (the SQL of labels, checks, lineage) registers by class and refuses an unknown one.


@dataclass(frozen=True)
class Closure:
    """The customer's row ends in [label_start, label_end): hard attrition.

    It bounds nothing: its source's last date is that of whoever opened or closed last, often weeks before the data end.
    """

    @property
    def reads(self) -> tuple[str, ...]:
        """No source but the customer's own row."""
        return ()

    @property
    def bounds(self) -> tuple[str, ...]:
        """No source: days without a closing are not days without data."""
        return ()

    @property
    def words(self) -> str:
        """What counts as leaving, as a clause."""
        return "the customer closes"


@dataclass(frozen=True)
class Inactivity:
    """No row of `source` (that meets `where`) in [label_start, label_end): silent attrition."""

    source: str
    where: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        check_shape("Inactivity", {"source": (self.source, NAME), "where": (self.where, TEXT)})

    @property
    def reads(self) -> tuple[str, ...]:
        """Its source."""
        return (self.source,)

    @property
    def bounds(self) -> tuple[str, ...]:
        """Its source: after its last event everybody would be silent."""
        return (self.source,)

    @property
    def words(self) -> str:
        """What counts as leaving, as a clause: 'there is no row of payments (amount > 0)'."""
        return f"there is no row of {self.source}{where_words(self.where)}"


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
        texts = {"source": (self.source, NAME), "of": (self.of, NAME), "where": (self.where, TEXT)}
        below, baseline = _BELOW.test(self.below), _BASELINE.test(self.baseline)
        check_shape("BalanceDecline", texts)
        if not (below and baseline):
            raise InvalidDefinition(
                f"BalanceDecline has below={self.below!r}, baseline={self.baseline!r} ({definition_place()}); "
                f"below is a share in (0, 1), baseline whole days, 1 to {MOST_DAYS}."
            )

    @property
    def reads(self) -> tuple[str, ...]:
        """Its source."""
        return (self.source,)

    @property
    def bounds(self) -> tuple[str, ...]:
        """Its source: after its last event no mean can be taken."""
        return (self.source,)

    @property
    def words(self) -> str:
        """What counts as leaving, as a clause."""
        return (
            f"the mean {self.of} of {self.source}{where_words(self.where)} falls under {self.below:.0%} of its mean in "
            f"the {self.baseline} days before the snapshot"
        )


_BELOW = share("a share in (0, 1)", least_is_allowed=False)
_BASELINE = whole(1, MOST_DAYS)


@dataclass(frozen=True)
class AnyOf:
    """Churn if any of the events happens."""

    events: tuple[Event, ...]

    def __post_init__(self) -> None:
        _check_parts("any_of", self.events)

    @property
    def reads(self) -> tuple[str, ...]:
        """The sources of its events."""
        return _each(source for part in self.events for source in part.reads)

    @property
    def bounds(self) -> tuple[str, ...]:
        """What bounds its events: an answer needs all of them."""
        return _each(source for part in self.events for source in part.bounds)

    @property
    def words(self) -> str:
        """What counts as leaving, as a clause."""
        return " or ".join(_nested(part) for part in self.events)


@dataclass(frozen=True)
class AllOf:
    """Churn if all of the events happen."""

    events: tuple[Event, ...]

    def __post_init__(self) -> None:
        _check_parts("all_of", self.events)

    @property
    def reads(self) -> tuple[str, ...]:
        """The sources of its events."""
        return _each(source for part in self.events for source in part.reads)

    @property
    def bounds(self) -> tuple[str, ...]:
        """What bounds its events: an answer needs all of them."""
        return _each(source for part in self.events for source in part.bounds)

    @property
    def words(self) -> str:
        """What counts as leaving, as a clause."""
        return " and ".join(_nested(part) for part in self.events)


SimpleEvent: TypeAlias = Closure | Inactivity | BalanceDecline
Event: TypeAlias = SimpleEvent | AnyOf | AllOf

#: Every class of event, and how it comes apart into simple ones.
_SIMPLE_EVENTS: ByKind[Callable[[Any], tuple[SimpleEvent, ...]]] = ByKind(
    "churn event",
    {
        **dict.fromkeys((Closure, Inactivity, BalanceDecline), lambda event: (event,)),
        **dict.fromkeys((AnyOf, AllOf), lambda event: tuple(leaf for e in event.events for leaf in simple_events(e))),
    },
)

_EVENT = instance_of(
    "Closure(), Inactivity(…), BalanceDecline(…), any_of(…), all_of(…)", *sorted(_SIMPLE_EVENTS.kinds, key=repr)
)


def simple_events(event: Event) -> tuple[SimpleEvent, ...]:
    """Return the simple events that an event is made of, in reading order.

    Raises InvalidDefinition, with its name, for an event of a class that Tenure does not know.
    """
    return _SIMPLE_EVENTS.of(event)(event)


def any_of(*events: Event) -> AnyOf:
    """Return the event that happens when any of `events` does."""
    return AnyOf(events)


def all_of(*events: Event) -> AllOf:
    """Return the event that happens when all of `events` do."""
    return AllOf(events)


def _check_parts(name: str, events: object) -> None:
    if isinstance(events, tuple) and len(events) < 2:
        raise InvalidDefinition(f"any_of and all_of combine two events or more ({definition_place()}).")
    check_shape(name, {"events": (events, list_of(_EVENT, f"two or more of {_EVENT.words}", least=2))})


def _each(sources: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sources))


def _nested(part: Event) -> str:
    return f"({part.words})" if isinstance(part, AnyOf | AllOf) else part.words


def where_words(condition: str) -> str:
    """Return a condition in brackets behind a blank, '' where there is none."""
    return f" ({condition})" if condition else ""


@dataclass(frozen=True)
class Activity:
    """At least one row of `source` (that meets `where`) in [t − within, t), known before t."""

    source: str
    within: int = field(kw_only=True)
    where: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        check_shape("Activity", {"source": (self.source, NAME), "where": (self.where, TEXT)})
        if not _is_days(self.within, least=1):
            raise InvalidDefinition(
                f"Activity has within={self.within!r} ({definition_place()}); whole days, 1 to {MOST_DAYS}."
            )

    @property
    def reads(self) -> tuple[str, ...]:
        """Its source."""
        return (self.source,)

    @property
    def bounds(self) -> tuple[str, ...]:
        """Its source: after its last event nobody would be eligible."""
        return (self.source,)


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
        fields = {"event": (self.event, _EVENT), "active": (self.active, _ACTIVE), "doc": (self.doc, TEXT)}
        check_shape(named("churn definition", self.name), fields)
        spans = _is_days(self.horizon, least=1) and _is_days(self.gap)
        if not (spans and _is_days(self.min_tenure, most=MOST_TENURE)):
            raise InvalidDefinition(
                f"churn definition '{self.name}' has horizon={self.horizon!r}, gap={self.gap!r}, "
                f"min_tenure={self.min_tenure!r} ({place}); whole days: "
                f"horizon 1 to {MOST_DAYS}, gap 0 to {MOST_DAYS}, min_tenure 0 to {MOST_TENURE}."
            )

    @property
    def events(self) -> tuple[SimpleEvent, ...]:
        """The simple events, in reading order; raises InvalidDefinition for one that Tenure does not know."""
        return simple_events(self.event)

    @property
    def reads(self) -> tuple[str, ...]:
        """The sources that tell who is asked and who churned, beside the customer's own row."""
        return _each(source for part in (*self.events, *self._asked_of) for source in part.reads)

    @property
    def bounds(self) -> tuple[str, ...]:
        """The sources whose last event ends the data that labels need; empty where nothing does (Closure alone)."""
        return _each(source for part in (*self.events, *self._asked_of) for source in part.bounds)

    @property
    def _asked_of(self) -> tuple[Activity, ...]:
        return (self.active,) if self.active else ()


_ACTIVE = Allowed("Activity(…) or None", lambda value: value is None or type(value) is Activity)


def _is_days(value: object, *, least: int = 0, most: int = MOST_DAYS) -> bool:
    return whole(least, most).test(value)
