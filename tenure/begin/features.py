"""Features: the part of the bank pack that what was found can answer, and the churn definition, as Python to edit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tenure.begin.bank import Bank
from tenure.begin.planned import PlannedColumn, PlannedSource
from tenure.begin.reasons import Reason
from tenure.begin.tables import NAMEABLE, REPEATED
from tenure.begin.times import moment
from tenure.begin.writing import on_one_line, text

_AMOUNT = re.compile(r"amount|amt|betrag|montant|importe|castka|kwota|value|price|total|sum")
_BALANCE = re.compile(r"balance|saldo|kontostand|solde")
_DEBIT = re.compile(r"debits?|dr?|db|out|vydaj|vyber|withdrawal|soll|s", re.IGNORECASE)
_CREDIT = re.compile(r"credits?|cr?|in|prijem|deposit|haben|h", re.IGNORECASE)

#: A dimension of at most so many values has features by value.
_FEW_VALUES = 12

#: Snapshots, horizon and window of data of so many days and more.
_LONG, _YEARS = 360, 800

#: Of fewer days no month of the year, nor of a customer's year with the bank, occurs twice.
_SEASONS = 731


def activity_of(bank: Bank) -> PlannedSource | None:
    """Return the source whose rows show that a customer is active: transactions, else any events of customers."""
    usable = [one for one in bank.sources.values() if one.has_customer and one.has_own_time and one.name != "customers"]
    chosen = [one for one in usable if one.name == "transactions"] or usable
    return max(chosen, key=lambda one: bank.tables[one.table].rows, default=None)


def days_of_data(bank: Bank) -> int:
    """Return about how many days lie between the first and the last activity."""
    source = activity_of(bank)
    if source is None:
        return 0
    times = bank.times[source.table]
    column = bank.tables[source.table].columns[times.event]
    seen = [moment(one, column.format) for one in bank.tables[source.table].sample[times.event] if one]
    known = [one for one in seen if one]
    return (max(known) - min(known)).days if known else 0


def horizon_of(bank: Bank) -> int:
    """Return the days of a label's horizon that the data have room for."""
    return 90 if days_of_data(bank) >= _LONG else 30


def churn_text(bank: Bank) -> str:
    """Return churn.py: the customers' end where they have one, else that nothing of theirs happens any more."""
    source, customers = activity_of(bank), bank.sources["customers"]
    horizon = horizon_of(bank)
    active = f'\n    active=Activity("{source.name}", within={horizon}),' if source else ""
    imports = ["ChurnDefinition", *(["Activity"] if source else [])]
    if customers.ends:
        imports.append("Closure")
        name, event, why = (
            "closed",
            _closure(customers),
            f"customers end: {on_one_line('; '.join(customers.column(customers.ends).why))}{_none_of(customers)}",
        )
        doc = f"The customer's end, {customers.ends}, within {horizon} days"
    else:
        imports.append("Inactivity")
        of = source.name if source else "customers"
        name, event, why = "silent", f'Inactivity("{of}")', f"no end of a customer was found; {of} show who is active"
        doc = f"No row in {of} within {horizon} days"
    return f'''"""What attrition is; a guess from what the tables hold."""

from tenure import {", ".join(sorted(imports))}

# {why}
churn = ChurnDefinition(
    "{name}",
    event={event},
    horizon={horizon},
    gap=0,  # raise it to the days that a campaign needs before it can act
    min_tenure={horizon},{active}
    doc="{doc}",
)
'''


def _closure(customers: PlannedSource) -> str:
    """The event that customers end, by the reasons that may be leaving where others are told apart from them."""
    column = customers.reason
    if column is None or column.reason is None or not (column.reason.leaving and column.reason.other):
        return "Closure()"
    values = [f"'{value}'" for value in column.reason.leaving]
    where = f"{column.name} = {values[0]}" if len(values) == 1 else f"{column.name} IN ({', '.join(values)})"
    return f"Closure(where={text(f'{column.name} IS NULL OR {where}' if column.reason.is_partial else where)})"


def _none_of(customers: PlannedSource) -> str:
    """The reasons that churn.py does not count, as a comment of its own."""
    counted = _closure(customers) != "Closure()"
    other = customers.reason.reason.other if counted and customers.reason and customers.reason.reason else ()
    return f"\n# no leaving, by their words: {', '.join(other)}; who ends so has no label" if other else ""


def _question_of_reason(name: str, reason: Reason) -> str:
    """What is to be asked of the column that says why customers end."""
    leaving, other = ", ".join(reason.leaving), ", ".join(reason.other)
    if leaving and other:
        return (
            f"{name} says why customers end: is each of {leaving} leaving, and none of {other}? "
            "churn.py counts the former; who ends otherwise has no label."
        )
    seen = f" ({leaving or other})" if leaving or other else ""
    return (
        f"{name} says why customers end{seen}: which are no leaving, such as a death? churn.py counts all; name the "
        "others in Closure(where=…)."
    )


def churn_question(bank: Bank) -> str:
    """Return what the data can't say of attrition; '' where customers end, and nothing says why."""
    customers = bank.sources["customers"]
    if customers.ends:
        column = customers.reason
        return _question_of_reason(column.name, column.reason) if column and column.reason else ""
    source = activity_of(bank)
    if source is None:
        return (
            "which event is attrition? No table tells when customers leave, or what they do: churn.py stands for none."
        )
    return (
        f"which rows of {source.name} come without the customer, such as interest and fees? "
        "Leave them out of churn.py by where=, or nobody falls silent."
    )


def feature_files(bank: Bank, *, minimal: bool = False) -> dict[str, str]:
    """Return the feature files that apply, by their names."""
    source = activity_of(bank)
    found = {"customer.py": _customer(bank)}
    if source is not None:
        windows = _windows(bank)
        found["habit.py"] = _habit(bank, source, windows, minimal=minimal)
        found["money.py"] = _money(bank, source, windows)
        found["balance.py"] = _balance(source, windows)
    accounts = bank.sources.get("accounts")
    if accounts and accounts.has_customer and accounts.has_own_time and accounts is not source:
        found["account.py"] = _account(bank, accounts, _windows(bank))
    interactions = bank.sources.get("interactions")
    if interactions and interactions.has_customer and interactions.has_own_time and interactions is not source:
        found["interaction.py"] = _interaction(interactions, _windows(bank))
    chosen = ("habit.py",) if minimal and source else tuple(found)
    return {name: found[name] for name in chosen if found[name]}


def _windows(bank: Bank) -> tuple[int, ...]:
    days = days_of_data(bank)
    return (30, 60, 90, 180, 365) if days >= _YEARS else (30, 60, 90) if days >= _LONG else (7, 30)


def _file(about: str, name: str, source: str, features: Iterable[str], windows: Sequence[int] = ()) -> str:
    body = "".join(f"        {one},\n" for one in features)
    if not body:
        return ""
    used = [word for word in ("Aggregate", "Attribute", "DatePart", "Ratio", "Trend") if f"{word}(" in body]
    imports = sorted([*used, "FeatureView", *(["days"] if windows else [])])
    span = f"WINDOWS = days({', '.join(map(str, windows))})\n\n" if windows else ""
    return (
        f'"""{about}"""\n\nfrom tenure import {", ".join(imports)}\n\n{span}'
        f'{name} = FeatureView(\n    "{name}",\n    source="{source}",\n    features=[\n{body}    ],\n)\n'
    )


def _few_values(bank: Bank, source: PlannedSource, column: PlannedColumn) -> list[str]:
    """A dimension's values as its features can be named by; none where there are too many or they are no words."""
    if column.role != "dimension" or column.type != "string" or not column.raw or source.table not in bank.tables:
        return []
    if column.seen is None or REPEATED * column.seen.different > column.seen.filled:
        return []
    sample = bank.tables[source.table].sample.get(column.raw, [])
    values = sorted({value for value in sample if value} - set(column.seen.format.null))
    named = [value for value in values if NAMEABLE.fullmatch(value) and value.lower() != "other"]
    slugs = {re.sub(r"[^a-z0-9]+", "_", value.lower()).strip("_") for value in named}
    return named if 1 < len(named) <= _FEW_VALUES and len(slugs) == len(named) else []


def _habit(bank: Bank, source: PlannedSource, windows: Sequence[int], *, minimal: bool) -> str:
    features = [
        'Aggregate("use", how=("count", "active_days"), windows=WINDOWS, doc="Use of the bank")',
        'Aggregate("use", how="days_since_last", doc="Use of the bank")',
    ]
    if len(windows) > 2:
        features.append('Trend("use_count", short=WINDOWS[0], long=WINDOWS[2], doc="Use of the bank")')
    for column in source.columns if not minimal else ():
        values = _few_values(bank, source, column)
        if values and not _is_direction(values):
            listed = ", ".join(map(text, values))
            features.append(
                f'Aggregate(\n            "use_by_{column.name}", how="count", by="{column.name}",\n'
                f"            values=({listed}),\n            windows=WINDOWS, "
                f'doc="Use by {column.name.replace("_", " ")}",\n        )'
            )
    return _file("How often, and how, the customer uses the bank.", "habits", source.name, features, windows)


def _is_direction(values: Sequence[str]) -> bool:
    return any(map(_DEBIT.fullmatch, values)) and any(map(_CREDIT.fullmatch, values))


def _measure(source: PlannedSource, pattern: re.Pattern[str]) -> PlannedColumn | None:
    return next((c for c in source.columns if c.role == "measure" and pattern.search(c.name)), None)


def _conditions(bank: Bank, source: PlannedSource, amount: PlannedColumn) -> dict[str, str]:
    """The conditions of money out and money in: by a direction's values, else by the sign; none where neither tells."""
    for column in source.columns:
        values = _few_values(bank, source, column)
        if _is_direction(values):
            out, into = ([v for v in values if one.fullmatch(v)] for one in (_DEBIT, _CREDIT))
            return {"debit": _is_one_of(column.name, out), "credit": _is_one_of(column.name, into)}
    sample = bank.tables[source.table].sample.get(amount.raw, [])
    if any(value and value.strip().startswith(("-", "(")) for value in sample):
        return {"debit": f"{amount.name} < 0", "credit": f"{amount.name} > 0"}
    return {}


def _is_one_of(name: str, values: Sequence[str]) -> str:
    return " OR ".join(f"{name} = '{value}'" for value in values)


def _money(bank: Bank, source: PlannedSource, windows: Sequence[int]) -> str:
    amount = _measure(source, _AMOUNT)
    if amount is None:
        return ""
    unit = f'unit="{amount.unit}", ' if amount.unit else ""
    features = []
    conditions = _conditions(bank, source, amount)
    for name, where in (conditions or {"moved": ""}).items():
        doc = {"debit": "Money out", "credit": "Money in"}.get(name, "Money moved")
        only = f'where="{where}", ' if where else ""
        hows = 'how=("sum", "mean", "max"), windows=WINDOWS'
        features.append(
            f'Aggregate(\n            "{name}_amount", of="{amount.name}", {hows},\n'
            f'            {only}{unit}doc="{doc}",\n        )'
        )
        if len(windows) > 2:
            features.append(f'Trend("{name}_amount_sum", short=WINDOWS[0], long=WINDOWS[2], doc="{doc}")')
    if conditions:
        features.append(
            'Ratio(\n            "debit_to_credit", of="debit_amount_sum", to="credit_amount_sum", windows=WINDOWS,\n'
            '            doc="Money out per money in",\n        )'
        )
    return _file("What comes in and goes out.", "money", source.name, features, windows)


def _balance(source: PlannedSource, windows: Sequence[int]) -> str:
    balance = _measure(source, _BALANCE)
    if balance is None:
        return ""
    unit = f'unit="{balance.unit}", ' if balance.unit else ""
    hows = 'how=("last", "mean", "min", "max"), windows=WINDOWS'
    made = f'"balance", of="{balance.name}", {hows},\n            {unit}doc="Balance after a booking"'
    features = [f"Aggregate(\n            {made},\n        )"]
    if len(windows) > 2:
        features.append('Trend("balance_mean", short=WINDOWS[0], long=WINDOWS[2], doc="Balance after a booking")')
    return _file("What stays: the balances that bookings leave behind.", "balances", source.name, features, windows)


def _account(bank: Bank, source: PlannedSource, windows: Sequence[int]) -> str:
    features = [
        'Aggregate("accounts", how="count", doc="Open accounts")',
        'Aggregate("account_openings", how="count", windows=WINDOWS, doc="Accounts opened")',
        'Aggregate("account_openings", how=("days_since_last", "days_since_first"), doc="Account openings")',
    ]
    for column in source.columns:
        values = _few_values(bank, source, column)
        if values:
            listed = ", ".join(map(text, values))
            features.append(
                f'Aggregate(\n            "accounts_by_{column.name}", how="count", by="{column.name}",\n'
                f'            values=({listed}),\n            doc="Open accounts",\n        )'
            )
    return _file("What the customer holds.", "accounts", source.name, features, windows)


def _interaction(source: PlannedSource, windows: Sequence[int]) -> str:
    features = [
        'Aggregate("contacts", how=("count", "active_days"), windows=WINDOWS, doc="Contacts of any kind")',
        'Aggregate("contacts", how="days_since_last", doc="Contacts of any kind")',
    ]
    return _file("How the customer and the bank talk to each other.", "interactions", source.name, features, windows)


def _customer(bank: Bank) -> str:
    customers = bank.sources["customers"]
    birth = next((c for c in customers.columns if c.type == "date" and "birth" in " ".join(c.why)), None)
    features = []
    if birth:
        features.append(f'Attribute("age", of="{birth.name}", how="years_since", unit="years", doc="Age")')
    dimensions = [column for column in customers.columns if column.role == "dimension"]
    opened = customers.event_time if customers.has_own_time or not dimensions else ""
    if opened:
        features.append(
            f'Attribute("days_with_bank", of="{opened}", how="days_since", unit="days", doc="Time as a customer")'
        )
    about, days = "Who the customer is.", days_of_data(bank)
    if days < _SEASONS:
        about += f" No month and no anniversary: the data span {days} days, and a season shows in two years."
    else:
        features += _seasons(opened)
    for column in dimensions:
        words = column.name.replace("_", " ")
        features.append(f'Attribute("{column.name}", of="{column.name}", doc="{words.capitalize()}")')
    return _file(about, "customer_view", customers.name, features).replace('    "customer_view",', '    "customer",')


def _seasons(opened: str) -> list[str]:
    """What t itself says: the season, and where in their year with the bank customers stand."""
    found = ['DatePart("month_of_snapshot", how="month_of_year", doc="Month of the snapshot")']
    if opened:
        found.append(
            f'Attribute(\n            "to_anniversary", of="{opened}", how="days_to_anniversary",\n'
            '            unit="days", doc="Days to the anniversary",\n        )'
        )
    return found
