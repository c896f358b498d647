"""Who the customer is. Names, contact data and protected attributes are PII: features can't read them."""

from tenure import Attribute, FeatureView

customer = FeatureView(
    "customer",
    source="customers",
    features=[
        Attribute("age", of="birth_date", how="years_since", unit="years", doc="Age"),
        Attribute("days_with_bank", of="joined_on", how="days_since", unit="days", doc="Time as a customer"),
        Attribute("region", of="region", doc="Home region"),
        Attribute("customer_type", of="customer_type", doc="Customer type"),
        Attribute("income_band", of="income_band", doc="Stated monthly income"),
        Attribute("employment_status", of="employment_status", doc="Employment"),
        Attribute("acquisition_channel", of="acquisition_channel", doc="Channel through which the customer came"),
        Attribute("digital_enrolled", of="digital_enrolled", doc="Enrolled in digital banking"),
    ],
)
