"""What attrition is: the customer chooses to close the last account, or does nothing at all for 90 days."""

from tenure import Activity, ChurnDefinition, Closure, Inactivity, any_of

# Who ends within the horizon for another reason (is deceased, charged off, has moved, was merged) has no label.
BY_CHOICE = "close_reason = 'customer_request'"
BY_CUSTOMER = "channel <> 'batch'"  # salaries, standing orders, fees and interest come without the customer

churn = ChurnDefinition(
    "lost",
    event=any_of(Closure(where=BY_CHOICE), Inactivity("transactions", where=BY_CUSTOMER)),
    horizon=90,
    gap=0,  # raise it to the days that a campaign needs before it can act
    min_tenure=90,
    active=Activity("transactions", within=90, where=BY_CUSTOMER),
    doc="Chooses to close the last account, or goes silent, within 90 days",
)
