"""A bank whose customers have a key of two columns; tests/tables/test_labels.py draws its rows."""

from tenure import Column, Csv, Entity, Source

client = Entity("client", key=("branch", "number"), source="clients")

clients = Source(
    "clients",
    read=Csv("clients.csv"),
    columns=[
        Column("branch", type="integer", role="key"),
        Column("number", type="integer", role="key"),
        Column("segment"),
        Column("income", type="decimal", unit="USD"),
        Column("is_staff", type="boolean"),
        Column("birth_date", type="date", role="pii"),
        Column("reviewed_at", type="timestamp", role="time"),
        Column("opened_at", type="timestamp", role="time"),
        Column("closed_at", type="timestamp", role="time"),
        Column("recorded_at", type="timestamp", role="metadata"),
    ],
    key=("branch", "number"),
    event_time="opened_at",
    known_time="recorded_at",
    ends="closed_at",
)

moves = Source(
    "moves",
    read=Csv("moves.csv"),
    columns=[
        Column("move_id", type="integer", role="key"),
        Column("branch", type="integer", role="key"),
        Column("number", type="integer", role="key"),
        Column("moved_at", type="timestamp", role="time"),
        Column("recorded_at", type="timestamp", role="metadata"),
        Column("channel", role="dimension"),
        Column("amount", type="decimal", role="measure", unit="USD"),
        Column("items", type="integer", role="measure"),
        Column("rate", type="float", role="measure"),
    ],
    key="move_id",
    event_time="moved_at",
    known_time="recorded_at",
)

holdings = Source(
    "holdings",
    read=Csv("holdings.csv"),
    columns=[
        Column("holding_id", type="integer", role="key"),
        Column("branch", type="integer", role="key"),
        Column("number", type="integer", role="key"),
        Column("began_on", type="date", role="time"),
        Column("ended_on", type="date", role="time"),
        Column("worth", type="decimal", role="measure", unit="USD"),
    ],
    key="holding_id",
    event_time="began_on",
    ends="ended_on",
)
