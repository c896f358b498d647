"""How the customer and the bank talk to each other."""

from tenure import Aggregate, FeatureService, FeatureView, Trend, days, months

MONTH, MONTHS, QUARTER = WINDOWS = days(30, 60, 90)

KINDS = ("call", "complaint", "branch_visit", "app_login", "email")

interactions = FeatureView(
    "interactions",
    source="interactions",
    features=[
        Aggregate(
            "logins",
            how=("count", "days_since_last"),
            windows=WINDOWS,
            where="kind = 'app_login'",
            doc="Logins to the app",
        ),
        Aggregate("complaints", how="count", windows=WINDOWS, where="kind = 'complaint'", doc="Complaints"),
        Aggregate(
            "unresolved_complaints",
            how="count",
            windows=WINDOWS,
            where="kind = 'complaint' AND NOT resolved",
            doc="Complaints left unresolved",
        ),
        Aggregate("calls", how="count", windows=(MONTH, QUARTER), where="kind = 'call'", doc="Calls to the bank"),
        Aggregate(
            "call_minutes",
            of="duration_minutes",
            how="sum",
            windows=[QUARTER],
            where="kind = 'call'",
            unit="minutes",
            doc="Time on the phone with the bank",
        ),
        Aggregate("branch_visits", how="count", windows=[QUARTER], where="kind = 'branch_visit'", doc="Branch visits"),
        Aggregate("contact", how="days_since_last", doc="Contacts of any kind"),
        Aggregate("contacts", how="count", windows=days(7, 30, 90, 180, 365), doc="Contacts of any kind"),
        Aggregate(
            "contacts", how="active_days", windows=(MONTH, QUARTER), doc="The customer and the bank were in touch"
        ),
        Aggregate("complaints", how="count", windows=days(180, 365), where="kind = 'complaint'", doc="Complaints"),
        Aggregate("topic", of="topic", how="distinct_count", windows=(QUARTER, *days(365)), doc="Topics of contacts"),
        Aggregate("kind", of="kind", how=("mode", "entropy"), values=KINDS, windows=[QUARTER], doc="Kinds of contact"),
        Aggregate("logins", how="streak", windows=months(12), where="kind = 'app_login'", doc="The customer logged in"),
        Trend("contacts_count", short=MONTH, long=QUARTER, doc="Contacts of any kind"),
        Trend("logins_count", short=MONTH, long=QUARTER, doc="Logins to the app"),
    ],
)

contact = FeatureService(
    "contact",
    features=["interactions", "own_use_count_90d", "own_use_days_since_last"],
    doc="What a branch sees of a customer before a call",
)
