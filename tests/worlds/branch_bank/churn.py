from tenure import Activity, BalanceDecline, ChurnDefinition, Closure, Inactivity, all_of, any_of

churn = ChurnDefinition(
    "any_event",
    event=any_of(
        Closure(),
        all_of(
            Inactivity("moves", where="channel = 'online'"),
            BalanceDecline("moves", of="amount", below=0.9, baseline=60, where="amount > 0"),
        ),
    ),
    gap=5,
    horizon=30,
    min_tenure=20,
    active=Activity("moves", within=60, where="channel IS NOT NULL"),
)
