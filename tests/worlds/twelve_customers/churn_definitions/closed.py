from tenure import ChurnDefinition, Closure

churn = ChurnDefinition("closed", event=Closure(), horizon=31, min_tenure=20)
