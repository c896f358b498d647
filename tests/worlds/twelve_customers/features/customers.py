from tenure import Attribute, FeatureView

described = FeatureView(
    "described",
    source="customers",
    features=[
        Attribute("segment", of="segment", doc="Segment"),
        Attribute("age", of="birth_date", how="years_since", unit="years", doc="Age"),
    ],
)
