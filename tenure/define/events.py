"""The churn events: what a customer does, or no longer does, that counts as leaving; one class an event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Literal, Self

from tenure.define.event_base import (
    Asked,
    Combination,
    Event,
    RowsRead,
    Sign,
    SimpleEvent,
    churn_event,
    each,
    event_kinds,
)
from tenure.define.naming import aside, definition_place
from tenure.define.reconciliation import Reconciliation
from tenure.define.shape import (
    NAME,
    TEXT,
    Allowed,
    calls,
    check_shape,
    instance_of,
    list_of,
    share,
    whole,
)
from tenure.define.source import Source, refused_protected
from tenure.errors import InvalidDefinition

#: What a bank's churn.py may import of this module; `tenure` exports just these.
__all__ = ["BalanceDecline", "Closure", "Inactivity", "ProductClosure", "all_of", "any_of"]

#: The longest horizon, gap or look-back: ten years.
MOST_DAYS = 3660

#: What a customer did who closed and was open again before the answer is read.
WINBACKS = ("stays", "leaves")


@churn_event
@dataclass(frozen=True)
class Closure(SimpleEvent):
    """The customer's row ends in [label_start, label_end): hard attrition.

    `where`, a condition on the customer's own row, says which ends are leaving, such as "close_reason <> 'deceased'".
    Any other end before label_end competes with leaving: the customer has no label then, whatever other events say
    (Fine and Gray, 1999, on competing risks). `winback` says what a customer did who closed in the span and was open
    again when the answer is read: 'stays' or 'leaves'.

    It bounds nothing: its source's last date is the last opening or closing, often weeks before the data end.
    """

    where: str = field(default="", kw_only=True)
    winback: Literal["stays", "leaves"] = field(default="stays", kw_only=True)

    what = "the customer left in the horizon"

    def __post_init__(self) -> None:
        check_shape("Closure", self, where=TEXT, winback=TEXT)
        if self.winback not in WINBACKS:
            raise InvalidDefinition(
                f"Closure has winback={self.winback!r} ({definition_place()}); allowed: {', '.join(WINBACKS)}."
            )

    @property
    def rows(self) -> tuple[RowsRead, ...]:
        """None but the customer's own row."""
        return ()

    @property
    def bounds(self) -> tuple[str, ...]:
        """No source: days without a closing are not days without data."""
        return ()

    @property
    def words(self) -> str:
        """What counts as leaving, as a clause."""
        again = ", even if open again later" if self.winback == "leaves" else ""
        return f"the customer closes{where_words(self.where)}{again}"

    @property
    def asks_only(self) -> str:
        """Everybody."""
        return ""

    @property
    def leaves_out(self) -> str:
        """Nobody: who ends in another way is left out by the definition as a whole, whatever its other events say."""
        return ""

    @property
    def no_curve(self) -> str:
        """Nothing: an account closes at a moment."""
        return ""

    def validate(self, asked: Asked) -> None:
        """The customers' source has an end time."""
        require_ends(asked.customers, "Closure()", asked)


@churn_event
@dataclass(frozen=True)
class Inactivity(SimpleEvent):
    """Silent attrition: no row of `source` (that meets `where`) in [label_start, label_end).

    With `days`, a silence of so many days that completes in the span. It happens at a moment, so that its rate grows
    with the horizon, where that of silence over the whole horizon falls:

                          t      gap                    label_end
     ──▌──▌────▌──────────┊──────┊─────────▒────────────────┊───►     1: the last row + days lies in the span
     ──▌──▌────▌──────────┊──▒───┊──────────────────────────┊───►     no row: gone within the gap
     ──▌──▌────▌──────────┊────▌─┊────────────▌─────────────┊───►     0: never so long silent

    It is then asked only of customers with a row in the `days` before t: of others the silence is complete already.
    A row just `days` after another breaks the silence.
    """

    source: str
    where: str = field(default="", kw_only=True)
    days: int | None = field(default=None, kw_only=True)

    what = "no activity in the horizon, or a silence of some days that completes in it"

    def __post_init__(self) -> None:
        check_shape("Inactivity", self, source=NAME, where=TEXT)
        if self.days is not None and not _BASELINE.test(self.days):
            raise InvalidDefinition(
                f"Inactivity has days={self.days!r} ({definition_place()}); whole days, 1 to {MOST_DAYS}, or None: "
                "the whole horizon."
            )

    @property
    def rows(self) -> tuple[RowsRead, ...]:
        """Those of its source; with `days`, also as known at t."""
        in_horizon = RowsRead(source=self.source, role="activity in the horizon", where=self.where)
        if self.days is None:
            return (in_horizon,)
        return (replace(in_horizon, role="active before t", before_snapshot=True), in_horizon)

    @property
    def bounds(self) -> tuple[str, ...]:
        """Its source: after its last event everybody would be silent."""
        return (self.source,)

    @property
    def looks_back(self) -> int:
        """The days of its silence, if it is one of so many days."""
        return self.days or 0

    def sign(self, horizon: int, heard: Mapping[tuple[str, str], int], /) -> Sign:
        """Return its silence before t: of as many days; of half of those within which everybody asked has a row."""
        days = self.days or horizon
        least = min(filter(None, (self.days, heard.get((self.source, self.where)))), default=days + 1)
        silent = max(1, least // 2) if least <= days else days
        rows = f"{self.source}{where_words(self.where)}"
        return Sign(
            event=Inactivity(self.source, where=self.where),
            days=silent,
            words=f"without a row of {rows} in the {silent} days before the snapshot",
        )

    @property
    def words(self) -> str:
        """What counts as leaving, as a clause: 'there is no row of payments (amount > 0)'."""
        rows = f"{self.source}{where_words(self.where)}"
        return f"there is no row of {rows}" if self.days is None else f"{self.days} days pass without a row of {rows}"

    @property
    def asks_only(self) -> str:
        """Everybody; with `days`, those who are not silent so long already."""
        if self.days is None:
            return ""
        return f"with a row of {self.source}{where_words(self.where)} in the {self.days} days before the snapshot"

    @property
    def leaves_out(self) -> str:
        """Nobody; with `days`, those whose silence completes within the gap."""
        if self.days is None:
            return ""
        return f"customers whose {self.days} days without a row of {self.source} are complete within the gap"

    @property
    def no_curve(self) -> str:
        """Nothing, with `days`; silence over the whole horizon is rarer the longer that is."""
        if self.days is not None:
            return ""
        return f"Inactivity('{self.source}') without days= is silence over the whole horizon, rarer the longer that is"

    def validate(self, asked: Asked) -> None:
        """Its rows carry the customer's key and arrive within the horizon, and within the days."""
        source = require_prompt_rows(self.source, asked)
        if self.days is not None and source.arrival_delay >= self.days:
            raise InvalidDefinition(
                f"{asked.by} looks for {self.days} days without a row of source '{source.name}', whose rows arrive "
                f"{source.arrival_delay} days late: at a snapshot nobody would be seen active.",
                hint="Raise days=, or lower the source's arrival_delay.",
            )


@churn_event
@dataclass(frozen=True)
class BalanceDecline(SimpleEvent):
    """The mean of `of` in [label_start, label_end) falls under `below` × its mean in [t − baseline, t).

    Not measurable, so no label row, where either span has no value or the baseline's mean is not positive. With
    `reconciled`, the name of a Reconciliation, only rows of accounts count that it finds no break of before label_end,
    in what is known when the answer is read.
    """

    source: str
    of: str = field(kw_only=True)
    below: float = field(default=0.7, kw_only=True)
    baseline: int = field(default=90, kw_only=True)
    where: str = field(default="", kw_only=True)
    reconciled: str = field(default="", kw_only=True)
    #: The reconciliation so named, once a project has put it there.
    ledger: Reconciliation | None = field(default=None, init=False)

    what = "the mean in the horizon fell under a share of the mean before t"

    def __post_init__(self) -> None:
        check_shape("BalanceDecline", self, source=NAME, of=NAME, where=TEXT, reconciled=TEXT)
        if not (_BELOW.test(self.below) and _BASELINE.test(self.baseline)):
            raise InvalidDefinition(
                f"BalanceDecline has below={self.below!r}, baseline={self.baseline!r} ({definition_place()}); "
                f"below is a share in (0, 1), baseline whole days, 1 to {MOST_DAYS}."
            )

    @property
    def rows(self) -> tuple[RowsRead, ...]:
        """Those of its source, with the column whose mean it takes, and those that its accounts are reconciled by."""
        mean = (self.of, "its mean before t and in the horizon")
        own = RowsRead(source=self.source, role="rows of its spans", where=self.where, columns=(mean,))
        return (own, *(_reconciling(self.ledger) if self.ledger else ()))

    @property
    def bounds(self) -> tuple[str, ...]:
        """Its source: after its last event no mean can be taken; and what its accounts are reconciled by."""
        return each((self.source, *(self.ledger.reads if self.ledger else ())))

    def with_reconciliations(self, declared: Mapping[str, Reconciliation], /) -> Self:
        """Return the event with the reconciliation that it names, None where it is not declared."""
        event = copy(self)
        object.__setattr__(event, "ledger", declared.get(self.reconciled))
        return event

    def sign(self, horizon: int, _: Mapping[tuple[str, str], int], /) -> Sign:
        """Return its fall before t: the mean of the last days, as many as the horizon has, against those before."""
        return Sign(
            event=self,
            days=horizon,
            words=f"whose mean {self._balance} of the {horizon} days before the snapshot lies under {self.below:.0%} "
            f"of that of the {self.baseline} days before these",
        )

    @property
    def words(self) -> str:
        """What counts as leaving, as a clause."""
        return (
            f"the mean {self._balance} falls under {self.below:.0%} of its mean in the {self.baseline} days before the "
            "snapshot"
        )

    @property
    def asks_only(self) -> str:
        """Everybody: whether there is a mean to compare shows only when the label is computed."""
        return ""

    @property
    def leaves_out(self) -> str:
        """The customers for whom it can't be measured."""
        return f"customers whose mean {self._balance} can't be compared"

    @property
    def no_curve(self) -> str:
        """A mean may recover."""
        return f"BalanceDecline('{self.source}') takes the mean over the whole horizon, which may recover as that grows"

    @property
    def _balance(self) -> str:
        """What the mean is taken of, in words."""
        accounts = f" in accounts that '{self.reconciled}' finds no break of" if self.reconciled else ""
        return f"{self.of} of {self.source}{where_words(self.where)}{accounts}"

    def validate(self, asked: Asked) -> None:
        """Its rows carry the customer's key, arrive within the horizon and hold a number that is not personal; they are
        what its reconciliation reads.
        """
        if self.reconciled:
            asked.reconciliation(self.reconciled).require_reads(self.source, asked_by=asked.by)
        balance = require_prompt_rows(self.source, asked).column(self.of)
        if balance.role == "protected":
            raise refused_protected(f"{asked.by} takes the mean of '{self.of}'")
        if balance.type not in ("integer", "decimal", "float") or balance.is_personal:
            raise InvalidDefinition(
                f"{asked.by} takes the mean of '{self.of}', a {balance.type} of role {balance.role}; "
                "allowed: integer, decimal or float, and not personal."
            )


def _reconciling(ledger: Reconciliation) -> Iterable[RowsRead]:
    """The rows that a reconciliation reads."""
    why = f"whether '{ledger.name}' finds a break"
    for source in ledger.reads:
        credit = ledger.credit if source == ledger.bookings else ""
        columns = tuple((name, why) for name in ledger.columns_of(source))
        yield RowsRead(source=source, role=why, where=credit, columns=columns)


_BELOW = share("a share in (0, 1)", least_is_allowed=False)
_BASELINE = whole(1, MOST_DAYS)


@churn_event
@dataclass(frozen=True)
class ProductClosure(SimpleEvent):
    """All rows of `source` that meet `where` (all share drafts) have ended by label_end, and the customer stays.

                       t      gap                            label_end
     ───▐▬▬▬▬▬▬▬▬▬▬▬▬▬▬┊▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▌───────────────┊───►     1: none is open when the horizon ends
     ───▐▬▬▬▬▬▬▬▬▬▬▬▬▬▬┊▬▬▬▬▬▬▬▬▬▌──────▐▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬▬┊▬▬►     0: another was opened

    Asked only of customers with at least one open at t. It compares the two states, so what ends within the gap counts
    as ended. A customer who leaves the bank before label_end (the customer's own row ends) has no label: that is
    Closure's. A row is open at an instant if it began before it and did not end before it.
    """

    source: str
    where: str = field(default="", kw_only=True)

    what = "all accounts of a kind closed by the end of the horizon, the customer stayed"

    def __post_init__(self) -> None:
        check_shape("ProductClosure", self, source=NAME, where=TEXT)

    @property
    def rows(self) -> tuple[RowsRead, ...]:
        """Those of its source, as of t and as of the horizon's end."""
        ended = "when it ended: whether it is open at t, and when the horizon ends"
        at_end = RowsRead(source=self.source, role="open when the horizon ends", where=self.where, ends=ended)
        at_snapshot = replace(at_end, role="open at t", before_snapshot=True)
        return (at_snapshot, at_end)

    @property
    def bounds(self) -> tuple[str, ...]:
        """No source: days without an opening or a closing are not days without data."""
        return ()

    @property
    def words(self) -> str:
        """What counts as leaving, as a clause."""
        return f"the customer has no open row of {self.source}{where_words(self.where)} any more, and stays a customer"

    @property
    def asks_only(self) -> str:
        """Those who have something to close."""
        return f"with an open row of {self.source}{where_words(self.where)}"

    @property
    def leaves_out(self) -> str:
        """Those who leave altogether."""
        return "customers who leave altogether before the horizon ends"

    @property
    def no_curve(self) -> str:
        """Nothing: the last account of a kind closes at a moment."""
        return ""

    def validate(self, asked: Asked) -> None:
        """Its rows carry the customer's key and an end time, and so does the customer's own row."""
        event = f"ProductClosure('{self.source}')"
        require_ends(asked.source(self.source), event, asked)
        require_ends(asked.customers, event, asked)


@churn_event
@dataclass(frozen=True)
class AnyOf(Combination):
    """Churn if any of the events happens."""

    events: tuple[Event, ...]

    what = "any of some events, three-valued"

    def __post_init__(self) -> None:
        _check_parts("any_of", self)

    @property
    def words(self) -> str:
        """What counts as leaving, as a clause."""
        return " or ".join(map(_nested, self.events))

    @property
    def leaves_out(self) -> str:
        """The customers that its events leave out, unless another of them happens."""
        return _unless(self.events, "another event happens")

    @property
    def no_curve(self) -> str:
        """What its events say: where each happens at a moment, so does the first of them."""
        return " and ".join(each(part.no_curve for part in self.events if part.no_curve))


@churn_event
@dataclass(frozen=True)
class AllOf(Combination):
    """Churn if all of the events happen."""

    events: tuple[Event, ...]

    what = "all of some events, three-valued"

    def __post_init__(self) -> None:
        _check_parts("all_of", self)

    @property
    def words(self) -> str:
        """What counts as leaving, as a clause."""
        return " and ".join(map(_nested, self.events))

    @property
    def leaves_out(self) -> str:
        """The customers that its events leave out, unless another of them does not happen."""
        return _unless(self.events, "another event does not happen")

    @property
    def no_curve(self) -> str:
        """Its events happen each at another moment, if at one."""
        return "all_of(…) waits for several events, which happen at no one moment"


def any_of(*events: Event) -> AnyOf:
    """Return the event that happens when any of `events` does."""
    return AnyOf(events)


def all_of(*events: Event) -> AllOf:
    """Return the event that happens when all of `events` do."""
    return AllOf(events)


def event_allowed() -> Allowed:
    """Return what a field that holds an event allows: exactly the known classes."""
    simple = [kind for kind in event_kinds() if issubclass(kind, SimpleEvent)]
    written = (*calls(simple), "any_of(…)", "all_of(…)")
    return instance_of(", ".join(written), *event_kinds())


def require_ends(source: Source, event: str, asked: Asked) -> Source:
    """Return the source if it has an end time; raise InvalidDefinition, naming the event, if it has none."""
    if not source.ends:
        raise InvalidDefinition(
            f"{asked.by} uses {event}, but source '{source.name}' has no ends= column.",
            hint="Give the source the column with the closing time: Source(…, ends='closed_on').",
        )
    return source


def require_prompt_rows(name: str, asked: Asked) -> Source:
    """Return the source so named if its rows carry the customer's key and arrive within the horizon.

    Raises UnknownSource, UnknownColumn or InvalidDefinition if not.
    """
    source = asked.source(name)
    if source.arrival_delay >= asked.horizon:
        raise InvalidDefinition(
            f"{asked.by} looks {asked.horizon} days ahead, but rows of source '{source.name}' arrive "
            f"{source.arrival_delay} days late: nobody would be seen active.",
            hint="Lengthen the horizon, or lower the source's arrival_delay.",
        )
    return source


def where_words(condition: str) -> str:
    """Return a condition as a clause carries it: ' (amount > 0)', '' where there is none."""
    return aside(condition)


def _check_parts(name: str, combination: Combination) -> None:
    if isinstance(combination.events, tuple) and len(combination.events) < 2:
        raise InvalidDefinition(f"any_of and all_of combine two events or more ({definition_place()}).")
    allowed = event_allowed()
    check_shape(name, combination, events=list_of(allowed, f"two or more of {allowed.words}", least=2))


def _nested(part: Event) -> str:
    return f"({part.words})" if isinstance(part, Combination) else part.words


def _unless(events: Iterable[Event], otherwise: str) -> str:
    left_out = each(part.leaves_out for part in events if part.leaves_out)
    return f"{' and '.join(left_out)}, unless {otherwise}" if left_out else ""
