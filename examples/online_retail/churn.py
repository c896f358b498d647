"""A customer is lost who buys nothing for 90 days."""

from tenure import Activity, ChurnDefinition, Inactivity

churn = ChurnDefinition(
    "lapsed",
    event=Inactivity("invoices", where="amount > 0"),
    horizon=90,
    min_tenure=90,
    active=Activity("invoices", within=90, where="amount > 0"),
    doc="No purchase in the next 90 days, asked of customers of 90 days or more who bought in the last 90",
)
