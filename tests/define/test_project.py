"""Projects: the bank's files loaded and judged together, each mistake told with its place."""

from __future__ import annotations

import sys

import pytest

from tenure.define.definitions import load_project
from tenure.errors import InvalidDefinition, MissingFile, UnknownColumn, UnknownSource

FEATURES, SOURCES, CHURN = "features/all.py", "sources.py", "churn.py"


def test_a_project_holds_what_its_files_define(bank):
    project = load_project(bank.folder, "Test Bank")
    assert project.name == "Test Bank"
    assert list(project.sources) == ["customers", "payments", "branches"]
    assert list(project.views) == ["described", "paid"]
    assert project.churn.name == "closed"
    assert [str(column) for column in project.columns] == [
        "region",
        "age",
        "payments_count_30d",
        "payments_count_90d",
        "payments_days_since_last",
        "amount_sum_30d",
        "amount_sum_90d",
        "spent_sum_90d",
        "spent_ratio_90d",
        "amount_sum_30d_over_90d",
        "history_share_30d",
        "history_share_90d",
    ]


def test_a_definition_imported_by_another_file_counts_once(bank, monkeypatch):
    monkeypatch.syspath_prepend(str(bank.folder))
    (bank.folder / "shared_views.py").write_text((bank.folder / FEATURES).read_text())
    (bank.folder / FEATURES).write_text("from shared_views import described, paid\n")
    (bank.folder / "features" / "more.py").write_text("from shared_views import paid\n")
    try:
        assert list(load_project(bank.folder, "Test Bank").views) == ["described", "paid"]
    finally:
        del sys.modules["shared_views"]


def test_loading_leaves_nothing_in_the_banks_folder(bank):
    before = sorted(bank.folder.rglob("*"))
    load_project(bank.folder, "Test Bank")
    assert sorted(bank.folder.rglob("*")) == before


def test_aliases_of_the_key_are_columns_of_sources_and_change_no_fingerprint(bank):
    first = load_project(bank.folder, "Test Bank")
    sources = (bank.folder / SOURCES).read_text()

    def aliased(aliases):
        (bank.folder / SOURCES).write_text(
            sources.replace('key="customer_id", source=', f"{aliases} key='customer_id', source=", 1)
        )
        return load_project(bank.folder, "Test Bank")

    named = aliased('aliases=["branch_id"],')
    assert named.entity.other_keys == (("branch_id",),)
    assert named.fingerprint == first.fingerprint
    with pytest.raises(InvalidDefinition, match="has the alias guarantor_id, which no source has"):
        aliased('aliases=["guarantor_id"],')
    with pytest.raises(
        InvalidDefinition, match=r"has the alias branch_id, amount .*; allowed: as many columns as its key has, 1"
    ):
        aliased('aliases=[("branch_id", "amount")],')
    with pytest.raises(InvalidDefinition, match="aliases"):
        aliased('aliases="branch_id",')


def test_equal_definitions_have_equal_fingerprints_wherever_they_stand(bank):
    first = load_project(bank.folder, "Test Bank").fingerprint
    bank.change(SOURCES, "customer = Entity", "# The bank's customers\n\ncustomer = Entity")
    assert load_project(bank.folder, "Test Bank").fingerprint == first
    bank.change(CHURN, "horizon=30", "horizon=31")
    assert load_project(bank.folder, "Test Bank").fingerprint != first


@pytest.mark.parametrize("file", [SOURCES, CHURN])
def test_a_folder_without_a_file_is_no_project(bank, file):
    (bank.folder / file).unlink()
    with pytest.raises(MissingFile) as caught:
        load_project(bank.folder, "Test Bank")
    assert caught.value.message == f"'{bank.folder}' is not a Tenure project: it has no {file}."
    assert "tenure init" in caught.value.hint


def test_a_project_without_features_is_refused(bank):
    (bank.folder / FEATURES).unlink()
    with pytest.raises(MissingFile, match=r"has no features/\*\.py"):
        load_project(bank.folder, "Test Bank")


def test_a_syntax_error_is_told_with_file_and_line(bank, told):
    bank.change(FEATURES, 'Attribute("region", of="region", doc="Region"),', 'Attribute("region", of=),')
    told(bank.refusal(InvalidDefinition), f"{bank.folder / FEATURES}:5: ", 'Attribute("region", of=),')


@pytest.mark.parametrize(
    ("old", "new", "fragment"),
    [
        ("horizon=30", "horizont=30", "TypeError"),
        ("Closure()", "Closed()", "NameError: name 'Closed' is not defined"),
        ("horizon=30", "horizon=1 // 0", "ZeroDivisionError"),
    ],
)
def test_a_file_that_fails_is_told_with_file_and_line(bank, told, old, new, fragment):
    bank.change(CHURN, old, new)
    told(bank.refusal(InvalidDefinition), f"{bank.folder / CHURN}:3: ", fragment)


def test_a_mistake_inside_a_definition_is_told_with_its_place(bank, told):
    place = bank.change(FEATURES, 'of="region", doc="Region")', 'of="region", doc="")')
    assert place == "features/all.py:5"
    told(bank.refusal(InvalidDefinition), "feature 'region' has an empty doc", place)


@pytest.mark.parametrize(
    ("file", "text", "fragments"),
    [
        (
            CHURN,
            'other = ChurnDefinition("other", event=Closure(), horizon=60)',
            ["churn.py defines 2 ChurnDefinitions", "0 of them with main=True"],
        ),
        (
            SOURCES,
            'other = Entity("account", key="customer_id", source="customers")',
            ["sources.py must define exactly one Entity", "found 2"],
        ),
        (
            SOURCES,
            'import dataclasses\n\nagain = dataclasses.replace(branches, doc="Again")',
            ["two Sources are named 'branches'"],
        ),
        (
            FEATURES,
            'again = FeatureView("paid", source="payments", features=[])',
            ["two FeatureViews are named 'paid'"],
        ),
    ],
)
def test_one_too_many_is_refused(bank, told, file, text, fragments):
    with (bank.folder / file).open("a") as lines:
        lines.write(text + "\n")
    told(bank.refusal(InvalidDefinition), *fragments)


@pytest.mark.parametrize(
    ("file", "text", "fragment"),
    [
        (CHURN, "churn = None\n", "churn.py must define exactly one ChurnDefinition; found 0"),
        (SOURCES, "", "sources.py must define exactly one Entity; found 0"),
    ],
)
def test_none_is_refused(bank, told, file, text, fragment):
    (bank.folder / file).write_text(text)
    told(bank.refusal(InvalidDefinition), fragment)


@pytest.mark.parametrize(
    ("file", "old", "new", "fragments"),
    [
        (SOURCES, 'source="customers")', 'source="clients")', ["entity 'customer' reads source 'clients'"]),
        (FEATURES, '"paid", source="payments"', '"paid", source="payment"', ["view 'paid'", "source 'payment'"]),
        (CHURN, "Closure()", 'Inactivity("logins")', ["churn definition 'closed'", "source 'logins'"]),
    ],
)
def test_a_source_that_is_not_there_is_told_with_those_that_are(bank, told, file, old, new, fragments):
    bank.change(CHURN, "ChurnDefinition, Closure\n", "ChurnDefinition, Closure, Inactivity\n")
    bank.change(file, old, new)
    error = bank.refusal(UnknownSource)
    told(error, *fragments, "sources: branches, customers, payments")
    assert "tenure check" in error.hint


def test_an_unknown_column_is_told_with_feature_source_place_and_columns(bank, told):
    old = 'Aggregate("amount", of="amount"'
    place = bank.change(FEATURES, old, 'Aggregate("amount", of="amout"')
    error = bank.refusal(UnknownColumn)
    told(error, "feature 'amount' reads 'amout' of source 'payments'", place)
    told(error, "columns: amount, customer_id, direction, paid_at, payment_id")
    assert "tenure check" in error.hint


def test_an_entity_key_that_is_no_column_is_refused(bank, told):
    bank.change(SOURCES, 'Entity("customer", key="customer_id"', 'Entity("customer", key="client_id"')
    told(bank.refusal(UnknownColumn), "source 'customers' has no column 'client_id'", "customer_id")


def test_an_entity_and_its_source_have_the_same_key(bank, told):
    place = bank.change(SOURCES, 'Entity("customer", key="customer_id"', 'Entity("customer", key="region"')
    told(bank.refusal(InvalidDefinition), "entity 'customer' has key ('region',)", "('customer_id',)", place)


@pytest.mark.parametrize(
    ("file", "old", "new", "asked_by"),
    [
        (FEATURES, '"paid", source="payments"', '"paid", source="branches"', "feature view 'paid'"),
        (CHURN, "Closure()", 'Inactivity("branches")', "churn definition 'closed'"),
    ],
)
def test_a_source_that_cant_tell_the_customer_is_refused(bank, told, file, old, new, asked_by):
    bank.change(CHURN, "ChurnDefinition, Closure\n", "ChurnDefinition, Closure, Inactivity\n")
    place = bank.change(file, old, new)
    error = bank.refusal(UnknownColumn)
    told(error, asked_by, place, "source 'branches', which has no column 'customer_id' to tell the customer")
    assert "select=" in error.hint


def test_the_churn_definition_reads_columns_that_are_there(bank, told):
    bank.change(CHURN, "ChurnDefinition, Closure\n", "BalanceDecline, ChurnDefinition\n")
    bank.change(CHURN, "Closure()", 'BalanceDecline("payments", of="balance")')
    told(bank.refusal(UnknownColumn), "source 'payments' has no column 'balance'", "amount")


def test_closure_wants_a_closing_time(bank, told):
    bank.change(SOURCES, '    ends="closed_on",\n', "")
    error = bank.refusal(InvalidDefinition)
    told(error, "churn definition 'closed'", "bank/churn.py:3", "source 'customers' has no ends= column")
    assert "ends='closed_on'" in error.hint


def test_a_product_closure_wants_end_times_of_its_source_and_of_the_customers(bank, told):
    bank.change(CHURN, "Closure()", 'ProductClosure("payments")')
    bank.change(CHURN, ", Closure", ", ProductClosure")
    error = bank.refusal(InvalidDefinition)
    told(error, "churn definition 'closed'", "uses ProductClosure('payments')", "'payments' has no ends= column")
    bank.change(CHURN, '"payments"', '"customers"')
    bank.change(SOURCES, '    ends="closed_on",\n', "")
    told(bank.refusal(InvalidDefinition), "source 'customers' has no ends= column")


def test_a_product_closure_of_a_source_that_is_not_there_is_refused(bank, told):
    bank.change(CHURN, "Closure()", 'ProductClosure("share_drafts")')
    bank.change(CHURN, ", Closure", ", ProductClosure")
    told(bank.refusal(UnknownSource), "churn definition 'closed'", "'share_drafts'", "sources: branches, customers, ")


@pytest.mark.parametrize(
    ("old", "new", "fragments"),
    [
        ('of="region", doc', 'of="closed_on", doc', ["'region' reads 'closed_on', the end time", "leak the label"]),
        ('of="region", doc', 'of="email", doc', ["'region' reads 'email', which is PII", "how='years_since'"]),
        ('of="birth_date", how="years_since"', 'of="birth_date"', ["'age' reads 'birth_date', which is PII"]),
        (
            'of="birth_date", how="years_since"',
            'of="birth_date", how="days_to_anniversary"',
            ["'age' reads 'birth_date', which is PII", "allowed of PII is only how='years_since'"],
        ),
        (
            'of="birth_date", how="years_since"',
            'of="region", how="days_to_anniversary"',
            ["can't read 'region', a string", "date, timestamp"],
        ),
        (
            'of="birth_date", how="years_since"',
            'of="gender", how="is_known"',
            ["feature 'age' (features/all.py:6) reads 'gender', which is protected: no feature, label or list"],
        ),
        (
            'Aggregate("amount", of="amount", how="sum"',
            'Aggregate("amount", of="amount", how="sum", by="sex", values=["f"]',
            ["feature 'amount' (features/all.py:10) is made by 'sex', which is protected"],
        ),
        (
            'of="birth_date", how="years_since"',
            'of="region", how="years_since"',
            ["'age' can't read 'region', a string", "allowed: date, timestamp"],
        ),
        (
            '"amount", of="amount"',
            '"amount", of="direction"',
            ["'amount' can't read 'direction', a string", "allowed: decimal, float, integer"],
        ),
        (
            '"payments", how=("count", "days_since_last"), windows=days(30, 90)',
            '"amount", how="sum", of="amount", windows=days(90)',
            ["column 'amount_sum_90d' is defined twice: features/all.py:9 and features/all.py:10"],
        ),
        ('Attribute("region"', 'Attribute("customer_id"', ["column 'customer_id' is defined twice: by Tenure itself"]),
        ('Attribute("region"', 'Attribute("tenure_days"', ["column 'tenure_days' is defined twice: by Tenure itself"]),
    ],
)
def test_a_feature_that_cant_stand_is_refused_with_its_place(bank, told, old, new, fragments):
    place = bank.change(FEATURES, old, new)
    told(bank.refusal(InvalidDefinition), place, *fragments)


def test_an_attribute_reads_the_customers_own_row(bank, told):
    new = 'FeatureView("paid", source="payments", features=[\n    Attribute("direction", of="direction", doc="x"),'
    bank.change(FEATURES, 'FeatureView("paid", source="payments", features=[', new)
    told(
        bank.refusal(InvalidDefinition),
        "attribute 'direction' reads source 'payments', which has many rows a customer",
        "features/all.py:9",
        "use an Aggregate",
    )


@pytest.mark.parametrize(
    ("old", "new", "part", "near"),
    [
        ('of="spent_sum"', 'of="spent_mean"', "spent_mean_90d", "spent_sum_90d"),
        ('to="amount_sum"', 'to="income_sum"', "income_sum_90d", "near: none"),
        ('to="amount_sum", windows=days(90)', 'to="amount_sum", windows=days(30)', "spent_sum_30d", "spent_sum_90d"),
        ("long=Window(90)", "long=Window(180)", "amount_sum_180d", "amount_sum_30d, amount_sum_90d"),
    ],
)
def test_a_part_that_no_aggregate_makes_is_told_with_those_near(bank, told, old, new, part, near):
    place = bank.change(FEATURES, old, new)
    error = bank.refusal(UnknownColumn)
    told(error, f"reads '{part}', which no Aggregate makes", place, near)
    assert "tenure check" in error.hint


def test_a_ratio_is_no_part_of_another_ratio(bank, told):
    ratio = 'Ratio("twice", of="spent_ratio", to="amount_sum", windows=days(90), doc="Twice")'
    place = bank.change(FEATURES, "    Trend(", f"    {ratio},\n    Trend(")
    told(bank.refusal(UnknownColumn), "feature 'twice' reads 'spent_ratio_90d', which no Aggregate makes", place)


def test_a_refusal_of_a_protected_column_says_what_to_do(bank):
    bank.change(FEATURES, 'of="region", doc', 'of="gender", doc')
    hint = bank.refusal(InvalidDefinition).hint
    assert hint == (
        "Leave it out: 'tenure evaluate' alone reads protected columns, to compare how groups fare. Where the law lets "
        "models read it, give the column another role in sources.py."
    )


def test_no_key_and_no_time_is_protected(bank, told):
    bank.change(SOURCES, 'Column("opened_on", type="date")', 'Column("opened_on", type="date", role="protected")')
    told(bank.refusal(InvalidDefinition), "source 'customers' uses 'opened_on' as a key or a time, and it is protected")


def test_the_churn_event_reads_no_protected_column(bank, told):
    bank.change(SOURCES, 'Column("amount", type="decimal")', 'Column("amount", type="decimal", role="protected")')
    bank.change(FEATURES, (bank.folder / FEATURES).read_text().partition("paid = ")[2], "None\n")
    bank.change(CHURN, "event=Closure()", 'event=BalanceDecline("payments", of="amount", below=0.5, baseline=90)')
    bank.change(CHURN, ", Closure", ", BalanceDecline")
    told(bank.refusal(InvalidDefinition), "churn definition 'closed'", "the mean of 'amount', which is protected")
