"""What is computed from a protected column must be protected, whatever a SELECT calls it."""

import pytest
import tiny_bank

from tenure.catalog.check import check
from tenure.errors import InvalidDefinition
from tenure.session.inherited_roles import require_inherited
from tenure.session.work import Work
from tenure.stages.run import run

READ = 'read=Csv("customers.csv"),'
REGION = 'Column("region", role="attribute")'


@pytest.fixture
def bank(tmp_path):
    return tiny_bank.write_tiny_bank(tmp_path / "bank")


def declared(bank, columns, select=""):
    """Declare region, protected, with further columns and the SELECT that makes them."""
    file = bank / "sources.py"
    text = file.read_text()
    assert READ in text
    assert REGION in text
    text = text.replace(REGION, f'Column("region", role="protected"), {columns}')
    if select:
        text = text.replace(READ, f'read={{"people": Csv("customers.csv")}}, select="""{select}""",')
    file.write_text(text)
    for view in (bank / "features").glob("*.py"):
        lines = view.read_text().splitlines()
        view.write_text("\n".join(line for line in lines if 'of="region"' not in line))
    return bank


def required(bank):
    with Work.open(bank) as work:
        require_inherited(work.project, work.dialect, work.churn)


COPIES = {
    "by its name": ('Column("area", raw="region")', ""),
    "renamed": ('Column("area")', "SELECT customer_id, opened_on, closed_on, region, region AS area FROM people"),
    "computed": (
        'Column("is_north", type="integer")',
        "SELECT p.*, CASE WHEN p.region = 'north' THEN 1 END AS is_north FROM people AS p",
    ),
    "in a CTE beside a star": (
        'Column("area")',
        "WITH named AS (SELECT p.*, UPPER(Region) AS r FROM people AS p) SELECT n.*, n.r AS area FROM named AS n",
    ),
}


@pytest.mark.parametrize(("columns", "select"), COPIES.values(), ids=COPIES)
def test_a_copy_of_a_protected_column_is_refused_and_so_are_check_and_staging(bank, columns, select):
    bank = declared(bank, columns, select)
    says = r"source 'customers' \(bank/sources.py:\d+\): column '(area|is_north)' is computed from what 'region' is"
    with pytest.raises(InvalidDefinition, match=says) as refused:
        required(bank)
    assert "role='protected'" in refused.value.hint
    with Work.open(bank) as work, pytest.raises(InvalidDefinition, match=says):
        list(run(work, ("staging",)))
    with Work.open(bank) as work, pytest.raises(InvalidDefinition, match=says):
        check(work)


@pytest.mark.parametrize(("columns", "select"), COPIES.values(), ids=COPIES)
def test_the_cure_is_to_protect_the_copy(bank, columns, select):
    required(declared(bank, f'{columns[:-1]}, role="protected")', select))


def test_what_is_computed_of_other_columns_stays_free(bank):
    select = "SELECT p.*, CASE WHEN opened_on < '2023-01-01' THEN 'old' END AS generation FROM people AS p"
    required(declared(bank, 'Column("generation")', select))
