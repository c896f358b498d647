from tenure import BalanceDecline, ChurnDefinition, Closure, any_of

churn = ChurnDefinition(
    "closed_or_poorer",
    event=any_of(Closure(), BalanceDecline("balances", of="balance", below=0.7, baseline=60)),
    horizon=31,
)
