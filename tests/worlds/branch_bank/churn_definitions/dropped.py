from tenure import ChurnDefinition, Closure, ProductClosure, any_of

churn = ChurnDefinition(
    "dropped", event=any_of(Closure(), ProductClosure("holdings", where="worth > 100")), gap=3, horizon=45
)
