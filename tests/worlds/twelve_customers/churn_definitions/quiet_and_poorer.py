from tenure import BalanceDecline, ChurnDefinition, Inactivity, all_of

churn = ChurnDefinition(
    "quiet_and_poorer",
    event=all_of(
        Inactivity("payments", where="direction = 'out'"),
        BalanceDecline("balances", of="balance", below=0.7, baseline=60),
    ),
    horizon=31,
    min_tenure=21,
)
