"""Who the customer is."""

from tenure import Attribute, FeatureView

customer_view = FeatureView(
    "customer",
    source="customers",
    features=[
        Attribute("age", of="birth_date", how="years_since", unit="years", doc="Age"),
        Attribute("days_with_bank", of="opened_on", how="days_since", unit="days", doc="Time as a customer"),
        Attribute("gender", of="gender", doc="Gender"),
        Attribute("region", of="region", doc="Home region"),
        Attribute("inhabitants", of="inhabitants", unit="people", doc="Inhabitants of the home district"),
        Attribute("urban_percent", of="urban_share", unit="%", doc="Share of the home district that lives in towns"),
        Attribute("branch_region", of="branch_region", doc="Region of the branch that keeps the account"),
        Attribute("statements", of="statements", doc="When statements are sent"),
    ],
)
