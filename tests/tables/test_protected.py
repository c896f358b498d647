"""Protected attributes at each test snapshot: the version that was known then, a row a row of the test."""

from datetime import date

from tiny_bank import write_tiny_bank

from tenure.define.definitions import load_project
from tenure.tables.protected import attributes, protected_then

FIRST, SECOND = date(2024, 1, 31), date(2024, 2, 29)

STAGED = """
SELECT * FROM (VALUES
    (1, 'f', TIMESTAMP '2023-01-01', TIMESTAMP '2024-02-10'),
    (1, 'x', TIMESTAMP '2024-02-10', NULL),
    (2, 'm', TIMESTAMP '2024-01-31', NULL)
) AS t (customer_id, sex, known_time, known_until)
"""

SPLITS = """
SELECT * FROM (VALUES
    (1, DATE '2024-01-31', 'test'), (2, DATE '2024-01-31', 'test'), (3, DATE '2024-01-31', 'test'),
    (1, DATE '2024-02-29', 'test'), (2, DATE '2024-02-29', 'test'), (2, DATE '2023-12-31', 'train')
) AS t (customer_id, snapshot_date, split)
"""


def test_a_snapshot_sees_the_version_known_before_it(tmp_path, engine):
    bank = write_tiny_bank(tmp_path / "bank")
    sources = bank / "sources.py"
    sex = 'Column("region", role="attribute"),\n        Column("sex", role="protected"),'
    sources.write_text(sources.read_text().replace('Column("region", role="attribute"),', sex))
    project = load_project(bank, "Tiny Bank")
    assert attributes(project) == {"protected_1": "customers.sex"}
    engine.cache("customers", STAGED)
    engine.cache("splits", SPLITS)
    select = protected_then(project, [FIRST, SECOND])
    assert select.reads == ("splits", "customers")
    found = {(r["customer_id"], r["snapshot_date"]): r["protected_1"] for r in engine.run(select.text).to_pylist()}
    assert found == {(1, FIRST): "f", (2, FIRST): None, (3, FIRST): None, (1, SECOND): "x", (2, SECOND): "m"}
