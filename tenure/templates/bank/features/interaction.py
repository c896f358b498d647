"""How the customer and the bank talk to each other."""

from tenure import Aggregate, FeatureView, Trend, days

MONTH, MONTHS, QUARTER = WINDOWS = days(30, 60, 90)

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
        Trend("logins_count", short=MONTH, long=QUARTER, doc="Logins to the app"),
    ],
)
