"""A folder of each kind of storage."""

import pytest


@pytest.fixture(params=["local", "s3"])
def folder(request, tmp_path):
    """A folder of this machine, and a prefix of S3: what holds of one holds of the other."""
    return tmp_path / "lake" if request.param == "local" else request.getfixturevalue("prefix")
