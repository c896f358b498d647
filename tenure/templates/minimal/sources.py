"""The bank's raw tables: customers, and what they do."""

from tenure import Column, Csv, Entity, Parquet, Source

customer = Entity("customer", key="customer_id", source="customers")

customers = Source(
    "customers",
    read=Csv("customers.csv"),
    columns=[
        Column("customer_id", type="integer", role="key"),
        Column("joined_on", type="date", role="time"),
        Column("updated_at", type="timestamp", role="metadata"),
    ],
    key="customer_id",
    event_time="joined_on",
    known_time="updated_at",
)

transactions = Source(
    "transactions",
    read={"booked": Parquet("transactions/*.parquet"), "held": Csv("accounts.csv")},
    select="""
        SELECT b.*, a.customer_id
        FROM booked AS b
        JOIN (SELECT DISTINCT CAST(account_id AS BIGINT) AS account_id, customer_id FROM held) AS a
            ON a.account_id = b.account_id
    """,
    columns=[
        Column("transaction_id", type="integer", role="key"),
        Column("customer_id", type="integer", role="key"),
        Column("booked_at", type="timestamp", role="time"),
        Column("recorded_at", type="timestamp", role="metadata"),
    ],
    key="transaction_id",
    event_time="booked_at",
    known_time="recorded_at",
)
