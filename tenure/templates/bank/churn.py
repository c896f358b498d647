"""What attrition is: the customer closes the last account, or does nothing at all for 90 days."""

from tenure import Activity, ChurnDefinition, Closure, Inactivity, any_of

BY_CUSTOMER = "channel <> 'batch'"  # salaries, standing orders, fees and interest come without the customer

churn = ChurnDefinition(
    "lost",
    event=any_of(Closure(), Inactivity("transactions", where=BY_CUSTOMER)),
    horizon=90,
    gap=0,  # raise it to the days that a campaign needs before it can act
    min_tenure=90,
    active=Activity("transactions", within=90, where=BY_CUSTOMER),
    doc="Closes the last account, or goes silent, within 90 days",
)
