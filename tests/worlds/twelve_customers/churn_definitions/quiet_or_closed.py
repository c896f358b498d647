from tenure import Activity, ChurnDefinition, Closure, Inactivity, any_of

churn = ChurnDefinition(
    "quiet_or_closed",
    event=any_of(Closure(), Inactivity("payments")),
    gap=14,
    horizon=17,
    min_tenure=60,
    active=Activity("payments", within=90),
)
