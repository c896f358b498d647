"""A customer is lost whose money leaves: the account stays open and its interest is booked for ever."""

from tenure import Activity, BalanceDecline, ChurnDefinition

churn = ChurnDefinition(
    "money_left",
    event=BalanceDecline("transactions", of="balance", below=0.7, baseline=90),
    horizon=90,
    min_tenure=90,
    active=Activity("transactions", within=90),
    doc="Mean balance of the next 90 days under 70 % of the 90 days before, asked of accounts of 90 days or more",
)
