"""What the columns of two real data sets are, written by hand from the files and their descriptions.

Each table's key, and of each raw column its type, its format ('' where there is none) and its role. A role is `key`
(the row's own, or another table's), `time`, `pii` or `other`. Numbers of at most two places are decimals.
"""

from __future__ import annotations

DAY = "%y%m%d"

#: Berka, a table a file: (the key, {raw column: (type, format, role)}).
BERKA: dict[str, tuple[tuple[str, ...], dict[str, tuple[str, str, str]]]] = {
    "account.asc": (
        ("account_id",),
        {
            "account_id": ("integer", "", "key"),
            "district_id": ("integer", "", "key"),
            "frequency": ("string", "", "other"),
            "date": ("date", DAY, "time"),
        },
    ),
    "card.asc": (
        ("card_id",),
        {
            "card_id": ("integer", "", "key"),
            "disp_id": ("integer", "", "key"),
            "type": ("string", "", "other"),
            "issued": ("timestamp", "%y%m%d %H:%M:%S", "time"),
        },
    ),
    "client.asc": (
        ("client_id",),
        {
            "client_id": ("integer", "", "key"),
            # Of women the month has 50 added: it is no date, and no number to reckon with.
            "birth_number": ("string", "", "pii"),
            "district_id": ("integer", "", "key"),
        },
    ),
    "disp.asc": (
        ("disp_id",),
        {
            "disp_id": ("integer", "", "key"),
            "client_id": ("integer", "", "key"),
            "account_id": ("integer", "", "key"),
            "type": ("string", "", "other"),
        },
    ),
    "district.asc": (
        ("A1",),
        {
            "A1": ("integer", "", "key"),
            "A2": ("string", "", "other"),
            "A3": ("string", "", "other"),
            "A4": ("integer", "", "other"),
            "A5": ("integer", "", "other"),
            "A6": ("integer", "", "other"),
            "A7": ("integer", "", "other"),
            "A8": ("integer", "", "other"),
            "A9": ("integer", "", "other"),
            "A10": ("decimal", "", "other"),
            "A11": ("integer", "", "other"),
            "A12": ("decimal", "null ?", "other"),
            "A13": ("decimal", "", "other"),
            "A14": ("integer", "", "other"),
            "A15": ("integer", "null ?", "other"),
            "A16": ("integer", "", "other"),
        },
    ),
    "loan.asc": (
        ("loan_id",),
        {
            "loan_id": ("integer", "", "key"),
            "account_id": ("integer", "", "key"),
            "date": ("date", DAY, "time"),
            "amount": ("decimal", "", "other"),
            "duration": ("integer", "", "other"),
            "payments": ("decimal", "", "other"),
            "status": ("string", "", "other"),
        },
    ),
    "order.asc": (
        ("order_id",),
        {
            "order_id": ("integer", "", "key"),
            "account_id": ("integer", "", "key"),
            "bank_to": ("string", "", "other"),
            "account_to": ("string", "", "pii"),
            "amount": ("decimal", "", "other"),
            "k_symbol": ("string", "", "other"),
        },
    ),
    "trans_prefix_49102.asc": (
        ("trans_id",),
        {
            "trans_id": ("integer", "", "key"),
            "account_id": ("integer", "", "key"),
            "date": ("date", DAY, "time"),
            "type": ("string", "", "other"),
            "operation": ("string", "", "other"),
            "amount": ("decimal", "", "other"),
            "balance": ("decimal", "", "other"),
            "k_symbol": ("string", "", "other"),
            "bank": ("string", "", "other"),
            # The account at the other bank.
            "account": ("string", "", "pii"),
        },
    ),
}

#: Online Retail: no file has a key, since a line may stand twice in an invoice; these columns tell all but 56 of the
#: 401,604 different lines with a customer apart.
ONLINE_RETAIL: dict[str, tuple[tuple[str, ...], dict[str, tuple[str, str, str]]]] = {
    "*.csv": (
        ("InvoiceNo", "StockCode", "Quantity"),
        {
            "InvoiceNo": ("string", "", "key"),
            "StockCode": ("string", "", "key"),
            "Description": ("string", "", "other"),
            "Quantity": ("integer", "", "other"),
            "InvoiceDate": ("timestamp", "", "time"),
            "UnitPrice": ("decimal", "", "other"),
            "CustomerID": ("integer", "", "key"),
            "Country": ("string", "", "other"),
        },
    ),
}
