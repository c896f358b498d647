"""What attrition is: nothing happens on the customer's accounts for 90 days."""

from tenure import Activity, ChurnDefinition, Inactivity

churn = ChurnDefinition(
    "silent",
    event=Inactivity("transactions"),
    horizon=90,
    min_tenure=90,
    active=Activity("transactions", within=90),
    doc="No transaction within 90 days",
)
