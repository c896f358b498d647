from tenure import BalanceDecline, ChurnDefinition

churn = ChurnDefinition(
    "balance_fell", event=BalanceDecline("balances", of="balance", below=0.7, baseline=60), horizon=31
)
