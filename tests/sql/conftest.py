"""A bank whose files a test edits, and what 'tenure check' then refuses."""

import pytest
from tiny_bank import write_tiny_bank

from tenure.catalog.check import check
from tenure.errors import ProjectError
from tenure.session.work import Work


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


@pytest.fixture
def edit(bank):
    def edited(file, old, new):
        text = (bank / file).read_text()
        assert old in text
        (bank / file).write_text(text.replace(old, new))

    return edited


@pytest.fixture
def refused(bank):
    def refusal():
        with pytest.raises(ProjectError) as caught, Work.open(bank) as work:
            check(work)
        return caught.value

    return refusal
