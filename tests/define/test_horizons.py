"""Further horizons of a churn definition: for which events they make a curve, and what is refused."""

import pytest
from tiny_bank import write_tiny_bank
from typer.testing import CliRunner

from tenure import (
    BalanceDecline,
    ChurnDefinition,
    Closure,
    Inactivity,
    ProductClosure,
    all_of,
    any_of,
)
from tenure.cli import app
from tenure.errors import InvalidDefinition
from tenure.session.work import Work

MOMENTS = [
    Closure(),
    ProductClosure("drafts"),
    Inactivity("payments", days=60),
    any_of(Closure(), any_of(ProductClosure("drafts"), Inactivity("payments", days=60))),
]

DECLINE = BalanceDecline("balances", of="balance")

NO_MOMENTS = [
    (
        Inactivity("payments"),
        "Inactivity('payments') without days= is silence over the whole horizon, rarer",
    ),
    (DECLINE, "BalanceDecline('balances') takes the mean over the whole horizon, which may recover as that grows"),
    (any_of(Closure(), DECLINE), "BalanceDecline('balances') takes the mean over the whole horizon"),
    (all_of(Closure(), Inactivity("payments", days=60)), "all_of(…) waits for several events, which happen at no one"),
]


@pytest.mark.parametrize("event", MOMENTS)
def test_what_happens_at_a_moment_has_further_horizons(event):
    churn = ChurnDefinition("gone", event=event, horizon=90, gap=7, min_tenure=30, horizons=[180, 30, 90, 60])
    assert churn.curve == (30, 60, 90, 180)
    assert {days: (one.name, one.horizon) for days, one in churn.further.items()} == {
        30: ("gone_30d", 30), 60: ("gone_60d", 60), 180: ("gone_180d", 180)
    }  # fmt: skip
    for one in churn.further.values():
        assert (one.event, one.gap, one.min_tenure, one.where_defined) == (event, 7, 30, churn.where_defined)
        assert one.further == {}


@pytest.mark.parametrize(("event", "why"), NO_MOMENTS)
def test_what_lasts_the_whole_horizon_has_none_and_is_told_why(event, why, told):
    assert ChurnDefinition("gone", event=event, horizon=90).curve == ()
    with pytest.raises(InvalidDefinition) as caught:
        ChurnDefinition("gone", event=event, horizon=90, horizons=(30, 60))
    told(caught.value, "churn definition 'gone' has horizons=(30, 60), but ", why, "make no curve")
    assert "Closure(), ProductClosure(…), Inactivity(…, days=N), or any_of(…)" in caught.value.hint


@pytest.mark.parametrize("wrong", [30, (30, 30), (0,), (True,), ("30",), (30, 4000), {30, 60}])
def test_horizons_of_a_wrong_shape_are_refused(wrong, told):
    with pytest.raises(InvalidDefinition) as caught:
        ChurnDefinition("gone", event=Closure(), horizon=90, horizons=wrong)
    told(caught.value, "churn definition 'gone' has horizons=", "allowed: whole days, 1 to 3660, each once")


def test_the_definition_s_own_horizon_alone_makes_no_curve():
    assert ChurnDefinition("gone", event=Closure(), horizon=90, horizons=(90,)).curve == ()


def test_horizons_are_no_part_of_what_a_definition_means():
    plain, curved = (ChurnDefinition("gone", event=Closure(), horizon=90, horizons=h) for h in ((), (30,)))
    assert (plain, repr(plain)) == (curved, repr(curved))


CHURN = """
from tenure import {imports}

{definitions}
"""


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


def write(bank, *definitions):
    text = CHURN.format(imports="ChurnDefinition, Closure, Inactivity", definitions="\n".join(definitions))
    (bank / "churn.py").write_text(text)


def test_check_refuses_a_curve_of_silence_with_the_reason(bank):
    write(bank, 'c = ChurnDefinition("quiet", event=Inactivity("payments"), horizon=30, horizons=(30, 60))')
    found = CliRunner().invoke(app, ["check", "--project", str(bank)])
    assert isinstance(found.exception, InvalidDefinition)
    assert "without days= is silence over the whole horizon" in found.exception.message
    assert "Leave horizons= out, or ask for an event that happens at a moment" in found.exception.hint


def test_a_name_that_the_labels_of_a_horizon_take_is_refused(bank, told):
    write(
        bank,
        'c = ChurnDefinition("quiet", event=Closure(), horizon=30, horizons=(60,), main=True)',
        'd = ChurnDefinition("quiet_60d", event=Closure(), horizon=90)',
    )
    with pytest.raises(InvalidDefinition) as caught:
        Work.open(bank)
    told(caught.value, "churn definition 'quiet_60d' has the name of the labels over 60 days", "churn.py:")


def test_a_horizon_in_which_rows_can_t_arrive_is_refused(bank, told):
    sources = bank / "sources.py"
    sources.write_text(sources.read_text().replace('event_time="paid_on",', 'event_time="paid_on", arrival_delay=9,'))
    write(bank, 'c = ChurnDefinition("q", event=Inactivity("payments", days=20), horizon=30, horizons=(9, 60))')
    with pytest.raises(InvalidDefinition) as caught:
        Work.open(bank)
    told(caught.value, "looks 9 days ahead, but rows of source 'payments' arrive 9 days late")
