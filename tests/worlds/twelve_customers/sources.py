from tenure import Column, Csv, Entity, Source

customer = Entity("customer", key="customer_id", source="customers")

customers = Source(
    "customers",
    read=Csv("customers.csv"),
    columns=[
        Column("customer_id", role="key"),
        Column("segment"),
        Column("birth_date", type="date", role="pii"),
        Column("opened_on", type="date", role="time", planned=True),
        Column("closed_on", type="date", role="time"),
        Column("recorded_at", type="timestamp", role="metadata"),
    ],
    key="customer_id",
    event_time="opened_on",
    known_time="recorded_at",
    ends="closed_on",
    quarantine=0.1,
    doc="Who they are; a new version when the bank learns something. One row has no customer",
)

payments = Source(
    "payments",
    read=Csv("payments.csv"),
    unmatched=0.05,
    columns=[
        Column("payment_id", role="key"),
        Column("customer_id", role="key"),
        Column("booked_at", type="timestamp", role="time", planned=True, doc="May be told before its day"),
        Column("recorded_at", type="timestamp", role="metadata"),
        Column("direction", role="dimension"),
        Column("amount", type="decimal", role="measure", unit="USD"),
    ],
    key="payment_id",
    event_time="booked_at",
    known_time="recorded_at",
    quarantine=0.1,
    doc="Money in and out; a correction is a new version of its payment. Three rows lack a key",
)

logins = Source(
    "logins",
    read=Csv("logins.csv"),
    columns=[
        Column("login_id", role="key"),
        Column("customer_id", role="key"),
        Column("logged_in_at", type="timestamp", role="time"),
    ],
    key="login_id",
    event_time="logged_in_at",
    arrival_delay=2,
    doc="Logins, which reach the bank two days later",
)

products = Source(
    "products",
    read=Csv("products.csv"),
    columns=[
        Column("product_id", role="key"),
        Column("customer_id", role="key"),
        Column("opened_on", type="date", role="time", planned=True),
        Column("closed_on", type="date", role="time"),
        Column("credit_limit", type="decimal", role="measure", unit="USD"),
        Column("recorded_on", type="date", role="metadata"),
    ],
    key="product_id",
    event_time="opened_on",
    known_time="recorded_on",
    ends="closed_on",
    doc="Products held from opened_on until closed_on",
)

balances = Source(
    "balances",
    read=Csv("balances.csv"),
    columns=[
        Column("customer_id", role="key"),
        Column("measured_on", type="date", role="time"),
        Column("balance", type="decimal", role="measure", unit="USD"),
    ],
    key=("customer_id", "measured_on"),
    event_time="measured_on",
    doc="Balances as measured",
)
