"""A churn event answers for itself: what it keeps back is asked for, and what it says is used."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_bank import LAST_DAY, write_raw_files, write_tiny_bank

import tenure
from tenure import ChurnDefinition, Closure, all_of, any_of
from tenure.catalog.sql import compile_all
from tenure.define import event_base
from tenure.define.event_base import RowsRead, SimpleEvent, churn_event, event_kinds
from tenure.define.events import require_prompt_rows
from tenure.errors import InvalidConfig, InvalidDefinition
from tenure.intake.calendar import calendar
from tenure.proofs.oracle import labels as oracle
from tenure.publish.words import eligibility_brief, eligibility_words, event_words
from tenure.session.origins import Origins
from tenure.session.work import Work
from tenure.stages.run import run, stages_between
from tenure.tables import labels

ANSWERS = {
    "what": "the customer made no large payment",
    "rows": property(lambda self: (RowsRead(source=self.source, role="large payments", where="amount > 50"),)),
    "bounds": property(lambda self: (self.source,)),
    "words": property(lambda self: f"there is no large row of {self.source}"),
    "asks_only": "",
    "leaves_out": "nobody at all",
    "no_curve": "",
    "validate": lambda self, asked: require_prompt_rows(self.source, asked),
}


def made_up(*, without=""):
    """A class of event that a bank might want, as Tenure's own are written; one answer may be left out."""
    answers = {name: answer for name, answer in ANSWERS.items() if name != without}
    body = answers | {"__annotations__": {"source": str}, "__module__": __name__}
    return dataclass(frozen=True)(type("NoLargePayment", (SimpleEvent,), body))


@pytest.fixture
def known(monkeypatch):
    """The registries, forgetting after the test what was registered in it."""
    monkeypatch.setattr(event_base, "_KNOWN", list(event_kinds()))
    monkeypatch.setattr(labels._SQL_OF, "_table", dict(labels._SQL_OF._table))
    monkeypatch.setattr(oracle._HAPPENS, "_table", dict(oracle._HAPPENS._table))


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def sql_of(question, event):
    """SQL of the made-up event: nobody's payments are looked at, everybody stays."""
    return labels.EventSql("(e.t IS NULL)")


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_event_class_that_keeps_an_answer_back_is_refused_where_it_is_defined(answer, told):
    with pytest.raises(InvalidDefinition) as caught:
        churn_event(made_up(without=answer))
    told(
        caught.value,
        f"the churn event 'NoLargePayment' does not say {answer} (",
        "each event says asks_only, bounds, ",
    )
    assert "NoLargePayment" not in [kind.__name__ for kind in event_kinds()]


@pytest.mark.usefixtures("known")
def test_a_subclass_of_an_event_answers_for_itself_too(told):
    with pytest.raises(InvalidDefinition) as caught:
        churn_event(type("LateClosure", (Closure,), {}))
    told(
        caught.value, "'LateClosure' does not say asks_only, bounds, leaves_out, no_curve, rows, validate, what, words"
    )


def test_what_is_no_event_is_refused(told):
    with pytest.raises(InvalidDefinition) as caught:
        churn_event(SimpleNamespace)
    told(caught.value, "'SimpleNamespace' is no class of churn event", "SimpleEvent or Combination")


@pytest.mark.usefixtures("known")
def test_an_event_that_was_not_made_known_is_refused_where_it_is_used(told):
    with pytest.raises(InvalidDefinition) as caught:
        ChurnDefinition("quiet", event=made_up()("payments"), horizon=30)
    told(caught.value, "event=NoLargePayment(…)", "allowed: Closure(…), Inactivity(…), BalanceDecline(…)", "any_of(…)")


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("registry", "place"),
    [
        (labels._SQL_OF, "_SQL_OF of tenure/tables/labels.py"),
        (oracle._HAPPENS, "_HAPPENS of tenure/proofs/oracle/labels.py"),
    ],
)
def test_an_event_that_a_registry_does_not_know_is_refused_at_its_import(registry, place, told):
    """Each registry asks for every known class in its last line."""
    churn_event(made_up())
    with pytest.raises(InvalidDefinition) as caught:
        registry.require(event_kinds(), place=place)
    told(
        caught.value,
        "the churn event 'NoLargePayment' is not registered in",
        place,
        "registered: AllOf, AnyOf, BalanceDecline",
    )


def with_event(work, event):
    object.__setattr__(work.project.churn, "event", event)
    object.__setattr__(work.project.churn, "active", None)
    return work


@pytest.mark.usefixtures("known")
def test_an_event_without_sql_is_refused_by_the_check_before_anything_runs(bank):
    kind = churn_event(made_up())
    with Work.open(bank) as work, pytest.raises(InvalidDefinition, match="'NoLargePayment' is no churn event that"):
        compile_all(with_event(work, kind("payments")), "duckdb")


@pytest.mark.usefixtures("known")
def test_an_event_that_is_asked_of_some_but_does_not_say_so_in_sql_is_refused(bank):
    """It would be asked of everybody: whom it leaves out would count as a 0."""
    kind = churn_event(made_up())
    kind.asks_only = "who ever paid"
    labels._SQL_OF.register(kind)(sql_of)
    refused = "'NoLargePayment' is no churn event with asks_only that Tenure knows; known: Inactivity, ProductClosure"
    with Work.open(bank) as work, pytest.raises(InvalidDefinition, match=refused):
        compile_all(with_event(work, kind("payments")), "duckdb")


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("wrap", [lambda event: event, lambda event: any_of(Closure(), event)], ids=["alone", "any_of"])
def test_the_sources_of_a_complete_new_event_end_the_data(bank, wrap):
    """Payments end early; were they not asked, the end would be told from elsewhere and silence be censored wrongly."""
    kind = churn_event(made_up())
    labels._SQL_OF.register(kind)(sql_of)
    oracle._HAPPENS.register(kind)(lambda event, question: False)
    last = LAST_DAY - timedelta(days=70)
    write_raw_files(bank / "data", last_day=last)
    with Work.open(bank) as work:
        with_event(work, wrap(kind("payments")))
        list(run(work, stages_between("staging", "labels")))
        end = calendar(work).data_end
        assert last - timedelta(days=9) < end <= last
        assert max(work.read("labels")["label_end"].to_pylist()) <= end
        assert "payments" in event_words(work.project.churn.event)
        readings = {(r.source, r.column, r.why) for r in Origins(work.project, "duckdb", work.churn).churn_readings()}
        assert {("payments", "amount", "where amount > 50"), ("payments", "paid_on", "large payments")} <= readings


@pytest.mark.usefixtures("known")
def test_whom_an_event_is_asked_of_is_said_of_all_its_combinations():
    kind = churn_event(made_up())
    kind.asks_only = "who ever paid"
    event = kind("payments")
    churn = ChurnDefinition("quiet", event=all_of(event, any_of(Closure(), event)), horizon=30)
    assert eligibility_words(churn) == "open at the snapshot, who ever paid"
    assert eligibility_brief(churn) == "open and who ever paid"
    assert churn.event.leaves_out == (
        "nobody at all and nobody at all, unless another event happens, unless another event does not happen"
    )


@pytest.mark.usefixtures("known")
def test_a_new_event_that_bounds_nothing_needs_a_declared_end(bank):
    kind = churn_event(made_up())
    kind.bounds = property(lambda self: ())
    with Work.open(bank) as work:
        list(run(work, ("staging",)))
        with pytest.raises(InvalidConfig, match="nothing tells where the data end"):
            calendar(with_event(work, kind("payments")))


def test_one_place_above_the_definitions_takes_the_churn_definition_from_the_project():
    """There may be several churn definitions: whoever reads one is given it."""
    house = Path(tenure.__file__).parent
    reading = [file for file in house.rglob("*.py") if re.search(r"\bproject\.churn\b", file.read_text())]
    assert {file.relative_to(house).as_posix() for file in reading} == {"session/work.py"}
