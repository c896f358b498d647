"""Who the customer is."""

from tenure import Attribute, FeatureView

owner = FeatureView(
    "owner",
    source="customers",
    features=[
        Attribute("age", of="birth_date", how="years_since", unit="years", doc="Age"),
        Attribute("gender", of="gender", doc="Gender"),
        Attribute("region", of="region", doc="Region of the home"),
        Attribute("inhabitants", of="inhabitants", unit="people", doc="Inhabitants of the home district"),
        Attribute("urban_percent", of="urban_share", unit="%", doc="Share of the home district that lives in towns"),
        Attribute("statements", of="statements", doc="When statements are sent"),
        Attribute("account_age", of="opened_on", how="days_since", unit="days", doc="Age of the account"),
    ],
)
