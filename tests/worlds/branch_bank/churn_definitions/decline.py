from tenure import BalanceDecline, ChurnDefinition

churn = ChurnDefinition(
    "decline", event=BalanceDecline("moves", of="amount", below=0.8, baseline=90), gap=3, horizon=28
)
