"""Who the customer is. Features can't read names, contact data and protected attributes."""

from tenure import Aggregate, Attribute, FeatureView, days

customer = FeatureView(
    "customer",
    source="customers",
    features=[
        Attribute("age", of="birth_date", how="years_since", unit="years", doc="Age"),
        Attribute("days_with_bank", of="joined_on", how="days_since", unit="days", doc="Time as a customer"),
        Attribute("region", of="region", doc="Home region"),
        Attribute("customer_type", of="customer_type", doc="Customer type"),
        Attribute("income_band", of="income_band", doc="Stated monthly income"),
        Attribute("income_is_stated", of="income_band", how="is_known", doc="The customer stated an income"),
        Attribute("employment_status", of="employment_status", doc="Employment"),
        Attribute("acquisition_channel", of="acquisition_channel", doc="Channel through which the customer came"),
        Attribute("digital_enrolled", of="digital_enrolled", doc="Enrolled in digital banking"),
        # No month of the snapshot (a DatePart) and no days to the anniversary of joined_on (an Attribute): only a
        # history of two years or more can tell a season from a trend.
    ],
)

profile = FeatureView(
    "profile",
    source="profile_updates",
    features=[
        Aggregate("profile", how="count", windows=days(90, 365), doc="Versions of the customer's record written"),
        Aggregate("profile", how="days_since_last", doc="The customer's record was written"),
        Aggregate(
            "regions_lived", of="region", how="distinct_count", windows=days(365), doc="Home regions on the record"
        ),
        Aggregate(
            "employments",
            of="employment_status",
            how="distinct_count",
            windows=days(365),
            doc="Kinds of employment on the record",
        ),
    ],
)
