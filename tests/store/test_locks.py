"""Locks: one holder, no waiting, let go with the handle; a file that can't be locked is told apart from one in use."""

import os

import pytest

from tenure.errors import LakeBusy, StoreError
from tenure.store.locks import try_lock


def test_of_two_handles_one_holds_a_lock_until_it_is_closed(tmp_path):
    file = tmp_path / ".lock"
    file.touch()
    with file.open("r+b") as second:
        with file.open("r+b") as first:
            assert try_lock(file, first)
            assert not try_lock(file, second)
        assert try_lock(file, second)


def test_a_file_that_can_not_be_locked_is_not_called_busy(tmp_path):
    file = tmp_path / ".lock"
    file.touch()
    with os.fdopen(os.open(file, os.O_PATH), "rb") as unlockable, pytest.raises(StoreError) as refused:
        try_lock(file, unlockable)
    assert not isinstance(refused.value, LakeBusy)
    said = f"'{file}' can't be locked, so two runs could write at once: [Errno 9] Bad file descriptor."
    assert str(refused.value) == said
    assert "[lake] path" in refused.value.hint
