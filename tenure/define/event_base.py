"""An event: what every class of churn event answers, and the register of the classes that Tenure knows.

    what happens ──► rows, validate ──► SQL of labels · plain Python of the oracle    (one register by class each)
                 ──► bounds         ──► where the data end, so which labels are censored
                 ──► no_curve       ──► whether several horizons make a curve
                 ──► words, leaves_out ──► report · docs

A class that lacks one of the answers is refused where it is defined; one without SQL, when `tenure` is imported.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar, Protocol, Self, TypeVar

from tenure.define.reconciliation import Reconciliation
from tenure.define.shape import in_place, unknown_kind
from tenure.define.source import Source
from tenure.errors import InvalidDefinition, choices


@dataclass(frozen=True, kw_only=True)
class RowsRead:
    """The rows of one source that a definition reads, and what for.

    `columns` are those that it reads in addition to keys, times and `where`, each with the reason; `ends` is the reason
    why it reads the source's end time, '' if it does not. Rows are as of the horizon's end, `before_snapshot` as of t.
    """

    source: str
    role: str
    where: str = ""
    columns: tuple[tuple[str, str], ...] = ()
    ends: str = ""
    before_snapshot: bool = False


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an event is validated against: the customers' source, the other sources by name, and the horizon in days.

    `source` raises UnknownSource or UnknownColumn for a source that does not exist or lacks the customer's key.
    `reconciliation` raises InvalidDefinition for one that is not declared.
    """

    by: str
    horizon: int
    customers: Source
    source: Callable[[str], Source]
    reconciliation: Callable[[str], Reconciliation]


class Event(ABC):
    """What counts as leaving. Every event answers these; a tuple of sources names each once."""

    #: What happens, for the page of engines: 'no activity in the horizon'.
    what: ClassVar[str]

    @property
    @abstractmethod
    def simple(self) -> tuple[SimpleEvent, ...]:
        """The events that it is made of, in reading order."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The sources whose rows it reads; the customer's own row, which every label reads, is not among them."""
        return sources_of(rows_of(self.simple))

    @property
    @abstractmethod
    def bounds(self) -> tuple[str, ...]:
        """Those of them whose last event ends the data: after it no answer can be known."""

    @property
    def looks_back(self) -> int:
        """The days before label_start whose rows it counts like those of the horizon."""
        return 0

    def with_reconciliations(self, _: Mapping[str, Reconciliation], /) -> Self:
        """Return the event with each reconciliation that it names, of those declared; itself where it names none."""
        return self

    @property
    @abstractmethod
    def words(self) -> str:
        """What counts as leaving, as a clause."""

    @property
    @abstractmethod
    def asks_only(self) -> str:
        """Which of the eligible customers it is asked of at the snapshot, as a clause; '' for all."""

    @property
    @abstractmethod
    def leaves_out(self) -> str:
        """Which customers get no label although asked, since there is no answer, as a clause; '' for none."""

    @property
    @abstractmethod
    def no_curve(self) -> str:
        """Why it may be less likely within a longer horizon, as a clause; '' where it happens at a moment.

        What happened within 30 days of such a moment happened within 60 too, so that P30 <= P60.
        """


@dataclass(frozen=True, kw_only=True)
class Sign:
    """What tells at t, without any model, that a customer may be leaving: an event, asked of the `days` before t.

    `words` says who shows it, as a clause.
    """

    event: SimpleEvent
    days: int
    words: str


class SimpleEvent(Event):
    """An event that is made of no others."""

    def sign(self, horizon: int, heard: Mapping[tuple[str, str], int], /) -> Sign | None:
        """Return its sign at t; None where there is none, since nobody who shows it would be asked.

        `horizon` is in days; `heard` says within how many days before t everybody asked has a row, by source and where.
        """
        del horizon, heard
        return None

    @property
    @abstractmethod
    def rows(self) -> tuple[RowsRead, ...]:
        """The rows that it reads, without the customer's own row."""

    @abstractmethod
    def validate(self, asked: Asked) -> None:
        """Raise InvalidDefinition, UnknownSource or UnknownColumn where the bank does not have what it needs."""

    @property
    def simple(self) -> tuple[SimpleEvent, ...]:
        """The event itself."""
        return (self,)


class Combination(Event):
    """Several events as one: it reads what they read, and what bounds one of them bounds it."""

    events: tuple[Event, ...]

    @property
    def simple(self) -> tuple[SimpleEvent, ...]:
        """The simple events of its parts."""
        return tuple(chain.from_iterable(map(simple_events, self.events)))

    @property
    def bounds(self) -> tuple[str, ...]:
        """What bounds its parts: an answer needs all of them."""
        return bounds_of(self.events)

    @property
    def looks_back(self) -> int:
        """That of the part which looks back farthest."""
        return max(part.looks_back for part in self.events)

    def with_reconciliations(self, declared: Mapping[str, Reconciliation], /) -> Self:
        """Return the event of the same parts, each with the reconciliations that it names."""
        combined = copy(self)
        object.__setattr__(combined, "events", tuple(part.with_reconciliations(declared) for part in self.events))
        return combined

    @property
    def asks_only(self) -> str:
        """The customers that each of its parts is asked of: for any others one answer would be known beforehand."""
        return " and ".join(each(part.asks_only for part in self.events if part.asks_only))


EventClass = TypeVar("EventClass", bound=type[Event])

#: The answers that a class of event has to define itself: none that it could inherit would fit.
_SIMPLE_ANSWERS = ("what", "rows", "bounds", "words", "asks_only", "leaves_out", "no_curve", "validate")
_COMBINED_ANSWERS = ("what", "words", "leaves_out", "no_curve")

#: Every class of event that Tenure knows, in reading order; higher rooms register their own part for each.
_KNOWN: list[type[Event]] = []


def churn_event(kind: EventClass) -> EventClass:
    """Register a class of event, so that churn definitions may use it.

    Raises InvalidDefinition if it is no class of event, or lacks one of the answers that an event gives.
    """
    if not issubclass(kind, SimpleEvent | Combination):
        raise InvalidDefinition(
            f"'{kind.__name__}' is no class of churn event{in_place()}; "
            "allowed: a subclass of SimpleEvent or Combination."
        )
    wanted = _SIMPLE_ANSWERS if issubclass(kind, SimpleEvent) else _COMBINED_ANSWERS
    unsaid = [name for name in wanted if name not in vars(kind)]
    if unsaid:
        raise InvalidDefinition(
            f"the churn event '{kind.__name__}' does not say {choices(unsaid)}{in_place()}; "
            f"each event says {choices(wanted)}.",
            hint="Write them into the class itself, as those in tenure/define/events.py do.",
        )
    _KNOWN.append(kind)
    return kind


def event_kinds() -> tuple[type[Event], ...]:
    """Return every class of event that Tenure knows, in reading order."""
    return tuple(_KNOWN)


def simple_events(event: Event) -> tuple[SimpleEvent, ...]:
    """Return the simple events that an event is made of, in reading order.

    Raises InvalidDefinition, with its name, for an event of a class that Tenure does not know.
    """
    if type(event) not in _KNOWN:
        raise unknown_kind("churn event", event, _KNOWN)
    return event.simple


def each(sources: Iterable[str]) -> tuple[str, ...]:
    """Return the sources in their order, each once."""
    return tuple(dict.fromkeys(sources))


class _ReadsRows(Protocol):
    @property
    def rows(self) -> tuple[RowsRead, ...]: ...


class _Bounded(Protocol):
    @property
    def bounds(self) -> tuple[str, ...]: ...


def rows_of(parts: Iterable[_ReadsRows]) -> tuple[RowsRead, ...]:
    """Return the rows that all the parts read, in their order."""
    return tuple(read for part in parts for read in part.rows)


def sources_of(rows: Iterable[RowsRead]) -> tuple[str, ...]:
    """Return the sources of rows, each once."""
    return each(read.source for read in rows)


def bounds_of(parts: Iterable[_Bounded]) -> tuple[str, ...]:
    """Return the sources that bound any of the parts, each once."""
    return each(source for part in parts for source in part.bounds)
