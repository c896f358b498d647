"""The calendar of a run: which snapshots, and where the data end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tenure.define.flat import NOMINAL_DAY, NOMINAL_END
from tenure.define.project import Project
from tenure.define.snapshot import FIRST_DAY, SnapshotPlan
from tenure.errors import (
    EmptyTable,
    InvalidConfig,
    MissingTable,
    UnmatchedKeys,
)
from tenure.intake.captures import captured_extracts, gaps
from tenure.intake.data_end import EventSpan, require_end
from tenure.intake.data_end import data_end as end_of_data
from tenure.intake.facts import definition_of, event_days, intake_facts, span_of
from tenure.intake.matching import unmatched_words
from tenure.session.work import Work
from tenure.tables.label_spans import Outage


@dataclass(frozen=True)
class Calendar:
    """The plan of snapshots, the first day that the data do not cover, and the days in between that they lack."""

    plan: SnapshotPlan
    data_end: date
    outages: tuple[Outage, ...] = ()

    @property
    def dates(self) -> tuple[date, ...]:
        """The snapshot dates, in order."""
        return self.plan.dates()


def calendar(work: Work) -> Calendar:
    """Return the run's dates: as tenure.toml says, else from the staged events; of a flat table the nominal day.

    The data span what all sources that bound labels span: outside it nobody could be seen active.
    Raises MissingTable if a source was staged with other definitions, InvalidConfig or BadValue if the end of the data
    can't be told, or can't be true.
    """
    if work.project.flat:
        require_staged(work, list(work.project.sources))
        return Calendar(SnapshotPlan(every="day", first=NOMINAL_DAY, last=NOMINAL_DAY), NOMINAL_END)
    bounds, section = work.project.bounds, work.config.snapshots
    require_end(work.config.data.end, bounds)
    require_staged(work, list(work.project.sources))
    spans = _spans(work, bounds)
    data_end = end_of_data(work.config.data.end, spans, section.every)
    # Accounts were opened and records written long before the first booking that an extract holds.
    happened = {name: span for name, span in spans.items() if not work.project.sources[name].is_captured}
    first_event = max(span.usual_first for span in (happened or _spans(work, _dated_sources(work.project))).values())
    longest = max((w.most_days for w in work.project.windows), default=0)
    plan = SnapshotPlan(
        every=section.every,
        first=section.first or max(first_event + timedelta(days=longest), FIRST_DAY),
        last=min(section.last or data_end, data_end),
    )
    if plan.first > plan.last:
        raise InvalidConfig(
            f"[snapshots] would begin on {plan.first} and end on {plan.last}: events run from {first_event}, "
            f"the longest window is {longest} days and the data end before {data_end}.",
            hint="Set [snapshots] first in tenure.toml, or use shorter windows.",
        )
    plan.dates()
    return Calendar(plan, data_end, (*(() if work.config.data.gaps_are_real else _outages(work, spans)), *_gaps(work)))


def _outages(work: Work, spans: Mapping[str, EventSpan]) -> tuple[Outage, ...]:
    """The outages of the sources whose silence decides labels."""
    read = work.churn.event.bounds
    return tuple(Outage(name, *days) for name, span in spans.items() if name in read for days in span.outages)


def _gaps(work: Work) -> Iterator[Outage]:
    """The days whose ends no extract of a captured source told in time."""
    for source in work.project.sources.values():
        if source.is_captured and source.ends:
            yield from gaps(source, captured_extracts(work, source))


def require_staged(work: Work, sources: Sequence[str]) -> None:
    """Raise MissingTable unless each of the sources is staged, with the definitions that stand now."""
    facts = intake_facts(work)
    for source in (work.project.sources[name] for name in sources):
        staged, fact = work.require(source.name), facts.get(source.name, {})
        if fact.get("fingerprint") != staged.fingerprint or fact.get("definition") != definition_of(work, source):
            raise MissingTable(
                f"source '{source.name}' was staged with other definitions, or its staging did not finish.",
                hint="Run 'tenure staging'.",
            )
        if (fact.get("rows_unmatched") or 0) > source.unmatched * int(fact.get("rows_staged") or 0):
            raise UnmatchedKeys(
                f"source '{source.name}' was staged, and refused since {unmatched_words(fact)}.",
                hint="Run 'tenure staging' to see which, and what to do.",
            )


def _spans(work: Work, names: Iterable[str]) -> dict[str, EventSpan]:
    """When some staged sources have events."""
    facts, found = intake_facts(work), {}
    for name in names:
        fact, source = facts[name], work.project.sources[name]
        if source.is_captured:
            days = [row["extracted"].date() for row in captured_extracts(work, source)]
            found[name] = EventSpan(days[0], days[-1], days[0], days[-1], source.arrival_delay)
            continue
        if fact.get("outages") is None:  # staged by a Tenure that did not note them
            found[name] = span_of(event_days(work, source))
            continue
        first, last = _day(fact["first_event"]), _day(fact["last_event"])
        usual = (fact["usual_first_day"], fact["usual_last_day"])
        found[name] = EventSpan(first, last, *usual, int(str(fact["longest_gap"])), _read_outages(str(fact["outages"])))
    return found


def _read_outages(noted: str) -> tuple[tuple[date, date], ...]:
    spans = [tuple(map(date.fromisoformat, span.split("/"))) for span in noted.split("; ") if span]
    return tuple((first, until) for first, until in spans)


def _dated_sources(project: Project) -> Sequence[str]:
    """The sources whose first events tell where snapshots begin if none bounds labels: those that windows read, else
    the customers' own.
    """
    windowed = [view.source for view in project.views.values() if any(part.windows for part in view.aggregates)]
    return list(dict.fromkeys(windowed)) or [project.entity.source]


def _day(instant: object) -> date:
    if not isinstance(instant, datetime):
        raise EmptyTable("a staged source has no event time.", hint="Run 'tenure staging'.")
    return instant.date()
