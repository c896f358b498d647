"""Stages run alone: whoever follows the hint of each error comes to tables that belong together."""

import re
import shutil
from datetime import date

import pytest
from tiny_bank import write_leavers, write_tiny_bank

from tenure.catalog.models import newest_training
from tenure.define.stage import STAGES
from tenure.errors import MissingTable, OutdatedModel, TenureError
from tenure.session.work import Work
from tenure.stages.run import run
from tenure.store.model_files import folder_of

SETTINGS = {"train": {"models": ("rule", "logistic")}, "verify": {"customers": 0}}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = write_tiny_bank(tmp_path_factory.mktemp("alone") / "bank")
    write_leavers(folder / "data")
    done(folder, *STAGES)
    return folder


@pytest.fixture
def bank(built, tmp_path):
    return shutil.copytree(built, tmp_path / "bank")


def done(folder, *stages, **settings):
    """Run stages, each in a run of its own, as a shell would."""
    records = []
    for stage in stages:
        with Work.open(folder, overrides=SETTINGS | settings) as work:
            records += run(work, [stage])
    return [record.status for record in records]


def followed(folder, stage, **settings):
    """Run a stage, and whatever stage the hint of its error names, until it goes through; return the hints in order."""
    hints, waiting = [], [stage]
    while waiting:
        named = hint_of(folder, waiting[-1], **settings)
        if named:
            hints.append(named)
            waiting.append(named)
            assert len(hints) < 25, f"the hints go in circles: {hints}"
        else:
            waiting.pop()
    return hints


def hint_of(folder, stage, **settings):
    """Run a stage; return the stage that its error says to run, '' if it went through."""
    try:
        done(folder, stage, **settings)
    except TenureError as error:
        named = re.search(r"Run 'tenure ([a-z_]+)'", error.hint)
        return named[1] if named else f"no stage, but: {error.hint}"
    return ""


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def a_new_month(bank):
    write_leavers(bank / "data", last_day=date(2024, 8, 1))
    done(bank, "staging")


def retrained(bank):
    """Other models by the same stage: one kind left out."""
    done(bank, "train", train={"models": ("rule",)})


def features_of_another_meaning(bank):
    edit(bank / "features" / "paid.py", 'of="amount", how', 'of="amount", where="amount < 60", how')


def features_built_of_it(bank):
    features_of_another_meaning(bank)
    done(bank, "features")


def another_churn(bank):
    edit(bank / "churn.py", "horizon=30", "horizon=28")


def another_split(bank):
    edit(bank / "tenure.toml", "test_snapshots = 1", "test_snapshots = 1\nfolds = 4")
    done(bank, "splits")


def a_damaged_champion(bank):
    with Work.open(bank) as work:
        row = newest_training(work)[0]
        (folder_of(work.lake, row["model_version"]) / "model.json").write_text("{}")


def only_the_lake_gone(bank):
    shutil.rmtree(bank / "lake")


BROKEN = [
    (a_new_month, "explain"),
    (a_new_month, "segment"),
    (a_new_month, "report"),
    (a_new_month, "train"),
    (retrained, "report"),
    (features_of_another_meaning, "score"),
    (features_built_of_it, "explain"),
    (features_built_of_it, "report"),
    (another_churn, "score"),
    (another_churn, "evaluate"),
    (another_split, "report"),
    (another_split, "evaluate"),
    (a_damaged_champion, "explain"),
    (only_the_lake_gone, "report"),
]


@pytest.mark.parametrize(("broken", "stage"), BROKEN, ids=[f"{b.__name__}-{s}" for b, s in BROKEN])
def test_following_the_hints_ends_in_tables_that_belong_together(bank, broken, stage):
    settings = {"train": {"models": ("rule",)}} if broken is retrained else {}
    broken(bank)
    assert followed(bank, stage, **settings), "nothing was refused"
    followed(bank, "report", **settings)
    with Work.open(bank, overrides=SETTINGS | settings) as work:
        champion = newest_training(work)[0]["model_version"]
        newest = max(work.read("features")["snapshot_date"].to_pylist())
        listed = work.read("attrition_list").to_pylist()
        assert {(row["model_version"], row["snapshot_date"]) for row in listed} == {(champion, newest)}
        assert {row["customer_id"] for row in listed} == {
            row["customer_id"] for row in work.read("scores").to_pylist()
            if (row["model_version"], row["snapshot_date"]) == (champion, newest)
        }  # fmt: skip
    # Nothing is left to be said.
    assert set(done(bank, "evaluate", "score", "explain", "segment", "report", **settings)) == {"current"}


def test_a_month_is_scored_told_and_listed_without_training_again(bank):
    """What a nightly job does: the champion learned from an older training set, and may."""
    write_leavers(bank / "data", last_day=date(2024, 8, 1))
    nightly = ("staging", "snapshots", "features", "score", "explain", "segment", "report")
    assert done(bank, *nightly) == ["built"] * len(nightly)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("features/paid.py", 'doc="Amount paid"', 'doc="What was paid"'),
        ("features/paid.py", 'unit="USD"', 'unit="EUR"'),
        ("sources.py", 'role="measure", unit="USD"', 'role="measure", unit="US dollars", doc="In dollars"'),
        ("churn.py", '"quiet",', '"quiet", doc="No payment",'),
        ("features/paid.py", '    "paid",', '    "paid", doc="Payments",'),
    ],
)
def test_changed_words_block_nothing(bank, file, old, new):
    edit(bank / file, old, new)
    assert done(bank, "score", "explain", "segment", "report")[0] == "current"


def test_changed_words_are_told_by_explain_with_the_same_champion(bank):
    with Work.open(bank) as work:
        champion = newest_training(work)[0]
    edit(bank / "features" / "paid.py", 'doc="Amount paid"', 'doc="What was paid"')
    assert done(bank, "features", "score", "explain", "segment", "report")[2] == "built"
    with Work.open(bank) as work:
        assert any("What was paid" in text for text in work.read("importances")["description"].to_pylist())
        assert newest_training(work)[0] == champion


MEANINGS = {
    "where": ("features/paid.py", 'of="amount", how', 'of="amount", where="amount < 60", how'),
    "another column's name for the raw one": (
        "sources.py", 'Column("amount", type="decimal"', 'Column("amount", raw="payment_id", type="decimal"'
    ),
    "type": ("sources.py", '"amount", type="decimal"', '"amount", type="float"'),
    "arrival_delay": ("sources.py", 'event_time="paid_on",', 'event_time="paid_on", arrival_delay=2,'),
    "another file": ("sources.py", 'Csv("payments.csv")', 'Csv("payment*.csv")'),
    "a select": (
        "sources.py", 'read=Csv("payments.csv"),', 'read=Csv("payments.csv"), select="SELECT * FROM payments",'
    ),
    "gap": ("churn.py", "horizon=30", "horizon=30, gap=5"),
    "the event's condition": ("churn.py", 'Inactivity("payments")', 'Inactivity("payments", where="amount > 11")'),
}  # fmt: skip


@pytest.mark.parametrize("change", MEANINGS)
def test_another_meaning_of_what_was_learned_is_refused(bank, change):
    edit(bank / MEANINGS[change][0], *MEANINGS[change][1:])
    with pytest.raises(OutdatedModel, match="learned other definitions") as caught:
        done(bank, "score")
    assert caught.value.hint == "Run 'tenure train'."
    learned = "churn definition 'quiet'" if MEANINGS[change][0] == "churn.py" else "payment|amount"
    assert re.search(learned, caught.value.message)


def test_what_a_model_does_not_read_may_change(bank):
    with Work.open(bank) as work:
        champion = newest_training(work)[0]
    edit(bank / "features" / "paid.py", "Ratio(", 'Aggregate("newest", of="amount", how="last", '
         'windows=days(30), doc="Newest payment"),\n        Ratio(')  # fmt: skip
    assert done(bank, "features", "score") == ["built", "built"]
    with Work.open(bank) as work:
        assert newest_training(work)[0] == champion


def test_a_training_set_of_other_definitions_trains_no_model(bank):
    features_built_of_it(bank)
    with pytest.raises(MissingTable, match="'training_set' was built of other rows, dates or definitions") as caught:
        done(bank, "train")
    assert caught.value.hint == "Run 'tenure training_set'."
