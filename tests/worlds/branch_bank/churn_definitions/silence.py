from tenure import ChurnDefinition, Closure, Inactivity, any_of

churn = ChurnDefinition("silence", event=any_of(Closure(), Inactivity("moves")), horizon=31)
