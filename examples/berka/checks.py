"""What the bank itself wants to hear of its ledger."""

from tenure import Check

interest_is_credited = Check(
    "interest_is_credited",
    source="transactions",
    where="purpose <> 'UROK' OR direction = 'credit'",
    doc="interest taken from the customer",
)

transfer_names_the_bank = Check(
    "transfer_names_the_bank",
    source="transactions",
    where="operation NOT IN ('PREVOD Z UCTU', 'PREVOD NA UCET') OR partner_bank IS NOT NULL",
    severity="warning",
    doc="transfers from or to no bank",
)
