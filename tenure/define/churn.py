"""ChurnDefinition: which event is attrition, over which time, and for whom the question makes sense.

  eligible: open at t,                      t    gap
  minimum tenure, active before             ┊
 ────[ t − active_within ··················)┊······[ label_start ······ event? ······ label_end )───►
                                                     t + gap                          t + gap + horizon

A label has no row, rather than a 0, where the question has no answer: the horizon ends after the data
(censored), the customer left within the gap, or the event can't be measured.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

from tenure.define.event_base import (
    Asked,
    Event,
    RowsRead,
    Sign,
    SimpleEvent,
    bounds_of,
    rows_of,
    simple_events,
    sources_of,
)
from tenure.define.events import MOST_DAYS, Closure, event_allowed, require_prompt_rows, where_words
from tenure.define.naming import check_name, definition_place
from tenure.define.reconciliation import Reconciliation
from tenure.define.shape import FLAG, NAME, TEXT, Allowed, check_shape, list_of, named, shown, whole
from tenure.define.source import Source
from tenure.errors import InvalidDefinition

#: Why a row has no label: its answer would be read after the data end; or, with its kind, an end that is no leaving.
CENSORED, ENDED = "the horizon ends after the data", "ended otherwise: "

#: The longest minimum tenure: a hundred years.
MOST_TENURE = 36600


@dataclass(frozen=True)
class Activity:
    """At least one row of `source` (that meets `where`) in [t − within, t), known before t."""

    source: str
    within: int = field(kw_only=True)
    where: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        check_shape("Activity", self, source=NAME, where=TEXT)
        if not _is_days(self.within, least=1):
            raise InvalidDefinition(
                f"Activity has within={self.within!r} ({definition_place()}); whole days, 1 to {MOST_DAYS}."
            )

    @property
    def rows(self) -> tuple[RowsRead, ...]:
        """Those of its source, as known at t."""
        read = RowsRead(source=self.source, role="active before t", where=self.where, before_snapshot=True)
        return (read,)

    @property
    def bounds(self) -> tuple[str, ...]:
        """Its source: after its last event nobody would be eligible."""
        return (self.source,)

    def validate(self, asked: Asked) -> None:
        """Its rows carry the customer's key and arrive within the horizon."""
        require_prompt_rows(self.source, asked)


@dataclass(frozen=True)
class ChurnDefinition:
    """Attrition: an event in [t + gap, t + gap + horizon), asked of eligible customers. All times in days.

    Eligible at t: a customer (open at t) for at least `min_tenure` days and, if given, `active` before t. The answer is
    read `wait` days after label_end, when the horizon's rows have arrived: if left out, after the longest arrival_delay
    of the sources that it reads. `horizons` asks the same of the same customers over further horizons, of which the
    stage `horizons` makes a curve; only for an event that happens at a moment. Of several definitions in one project
    the one with `main=True` is what models learn; the labels of the others are made by `tenure labels --churn NAME`.
    """

    name: str
    event: Event = field(kw_only=True)
    horizon: int = field(kw_only=True)
    gap: int = field(default=0, kw_only=True)
    min_tenure: int = field(default=0, kw_only=True)
    active: Activity | None = field(default=None, kw_only=True)
    wait: int | None = field(default=None, kw_only=True)
    #: Further horizons of a curve; not part of what the label means, so that no digest of it rests on them.
    horizons: Sequence[int] = field(default=(), kw_only=True, compare=False, repr=False)
    #: Which of several definitions is the one that models learn; not part of what it means.
    main: bool = field(default=False, kw_only=True, compare=False, repr=False)
    doc: str = field(default="", kw_only=True)
    where_defined: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        place = definition_place()
        object.__setattr__(self, "where_defined", place)
        check_name("churn definition", self.name, where=place)
        called = named("churn definition", self.name)
        check_shape(called, self, event=event_allowed(), active=_ACTIVE, main=FLAG, doc=TEXT)
        spans = _is_days(self.horizon, least=1) and _is_days(self.gap) and (self.wait is None or _is_days(self.wait))
        if not (spans and _is_days(self.min_tenure, most=MOST_TENURE)):
            raise InvalidDefinition(
                f"churn definition '{self.name}' has horizon={self.horizon!r}, gap={self.gap!r}, "
                f"min_tenure={self.min_tenure!r}, wait={self.wait!r} ({place}); whole days: horizon 1 to {MOST_DAYS}, "
                f"gap and wait 0 to {MOST_DAYS}, min_tenure 0 to {MOST_TENURE}."
            )
        check_shape(called, self, horizons=_HORIZONS)
        self._require_moment()

    def with_reconciliations(self, declared: Mapping[str, Reconciliation]) -> ChurnDefinition:
        """Return the definition whose events have the reconciliations that they name, of those declared."""
        churn = copy(self)  # replace() would take this place for that of the definition.
        object.__setattr__(churn, "event", self.event.with_reconciliations(declared))
        return churn

    @property
    def further(self) -> dict[int, ChurnDefinition]:
        """The definition at each further horizon, in order: its own but for the horizon, and the name, 'closed_30d'."""
        return {days: self._over(days) for days in sorted(self.horizons) if days != self.horizon}

    @property
    def curve(self) -> tuple[int, ...]:
        """All horizons of the curve in order, the definition's own among them; empty without further ones."""
        further = self.further
        return tuple(sorted((self.horizon, *further))) if further else ()

    def _over(self, horizon: int) -> ChurnDefinition:
        churn = copy(self)  # What was valid stays so, and is defined in the same place.
        changed = {"name": f"{self.name}_{horizon}d", "horizon": horizon, "horizons": (), "main": False}
        for name, value in changed.items():
            object.__setattr__(churn, name, value)
        return churn

    def _require_moment(self) -> None:
        """Raise InvalidDefinition for further horizons of an event that does not happen at a moment."""
        if self.horizons and self.event.no_curve:
            raise InvalidDefinition(
                f"churn definition '{self.name}' has horizons={shown(self.horizons)}, but {self.event.no_curve} "
                f"({self.where_defined}): its probabilities need not rise with the horizon, so they make no curve.",
                hint="Leave horizons= out, or ask for an event that happens at a moment: Closure(), "
                "ProductClosure(…), Inactivity(…, days=N), or any_of(…) of these.",
            )

    def wait_for(self, sources: Mapping[str, Source]) -> int:
        """Return the days from label_end until the answer is read, over a bank's sources by name."""
        if self.wait is not None:
            return self.wait
        read = [sources[rows.source] for rows in self.rows if not rows.before_snapshot]
        # Ends of a captured source stand in the extract after them.
        read += [source for source in sources.values() if source.is_captured and source.ends]
        return max((source.arrival_delay for source in read), default=0)

    @property
    def ends_counted(self) -> tuple[str, ...]:
        """The conditions on a customer's end, one of which makes it leaving; empty where any end does."""
        conditions = tuple(event.where for event in self.events if isinstance(event, Closure))
        return conditions if all(conditions) else ()

    @property
    def leaves_out(self) -> str:
        """Which customers get no label although asked, as a clause; '' for none.

        Who ends in a way that no closure counts, whatever other events say; and those whom its event leaves out.
        """
        ended = " or ".join(where_words(where).strip() for where in self.ends_counted)
        clauses = [f"customers whose end is not one {ended}" if ended else "", self.event.leaves_out]
        return " and for ".join(filter(None, clauses))

    @property
    def events(self) -> tuple[SimpleEvent, ...]:
        """The simple events, in reading order; raises InvalidDefinition for one that Tenure does not know."""
        return simple_events(self.event)

    @property
    def signs(self) -> tuple[Sign, ...]:
        """What tells at t, without a model, that a customer may be leaving: the signs of its events that have one."""
        return tuple(filter(None, map(self.sign_of, self.events)))

    def sign_of(self, event: SimpleEvent) -> Sign | None:
        """Return the sign of one of its events, None where there is none."""
        heard = {(self.active.source, self.active.where): self.active.within} if self.active else {}
        return event.sign(self.horizon, heard)

    @property
    def rows(self) -> tuple[RowsRead, ...]:
        """The rows that decide who is asked and who churned, without the customer's own row."""
        return rows_of(self._parts)

    @property
    def reads(self) -> tuple[str, ...]:
        """The sources of those rows."""
        return sources_of(self.rows)

    @property
    def bounds(self) -> tuple[str, ...]:
        """The sources whose last event ends the data that labels need; empty where nothing does (Closure alone)."""
        return bounds_of(self._parts)

    def validate(self, asked: Asked) -> None:
        """Raise InvalidDefinition, UnknownSource or UnknownColumn where the bank does not have what it needs."""
        for part in self._parts:
            part.validate(asked)

    @property
    def _parts(self) -> tuple[SimpleEvent | Activity, ...]:
        return (*self.events, self.active) if self.active else self.events


_HORIZONS = Allowed(
    f"whole days, 1 to {MOST_DAYS}, each once, as in (30, 60, 90, 180)",
    lambda value: (
        list_of(whole(1, MOST_DAYS)).test(value) and isinstance(value, Collection) and len(set(value)) == len(value)
    ),
)

_ACTIVE = Allowed("Activity(…) or None", lambda value: value is None or type(value) is Activity)


def _is_days(value: object, *, least: int = 0, most: int = MOST_DAYS) -> bool:
    return whole(least, most).test(value)
