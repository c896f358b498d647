"""The lease of a lake on S3: one holder at a time; who lost it commits nothing more."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from tenure.errors import LakeBusy, StoreError
from tenure.store import lease
from tenure.store.lease import Lease


@pytest.fixture
def short(monkeypatch):
    """A lease that lapses after two seconds."""
    monkeypatch.setattr(lease, "LASTS", 2.0)


def noted(lake, **changed):
    """Write the lease of another process as it stands while that process lives."""
    content = {"holder": "process 1 on elsewhere", "machine": "elsewhere", "process": 1, "token": "t"}
    (lake / lease.FILE_NAME).write(json.dumps(content | {"released": False} | changed).encode())


def test_of_two_one_holds_it_and_the_other_is_told_whose_it_is(prefix):
    one, other = Lease(prefix), Lease(prefix)
    said = rf"another run \(process {os.getpid()} on "
    with one.held(), pytest.raises(LakeBusy, match=said) as busy, other.held():
        pass
    assert "lapses within 60 s" in busy.value.hint


def test_who_ends_leaves_it_to_the_next_at_once(prefix):
    for _ in range(3):
        with Lease(prefix).held():
            pass


def test_of_many_at_once_one_holds_it(prefix):
    inside, most, done = [], [], threading.Barrier(6)

    def hold():
        done.wait()
        try:
            with Lease(prefix).held():
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.3)
                inside.pop()
        except LakeBusy:
            pass

    threads = [threading.Thread(target=hold) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most
    assert max(most) == 1


@pytest.mark.usefixtures("short")
def test_it_is_renewed_for_as_long_as_it_is_held(prefix):
    with Lease(prefix).held() as _:
        time.sleep(3)
        with pytest.raises(LakeBusy), Lease(prefix).held():
            pass


@pytest.mark.usefixtures("short")
def test_a_lease_that_nobody_renews_is_taken(prefix):
    noted(prefix)
    with pytest.raises(LakeBusy, match="process 1 on elsewhere"), Lease(prefix).held():
        pass
    time.sleep(3.1)  # S3 tells whole seconds.
    with Lease(prefix).held():
        pass


def test_the_lease_of_a_killed_process_of_this_machine_is_taken_at_once(prefix):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    noted(prefix, machine=lease._machine(), process=dead.pid)
    with Lease(prefix).held():
        pass


@pytest.mark.usefixtures("short")
def test_who_slept_through_it_knows_that_it_is_lost(prefix, monkeypatch):
    """As after SIGSTOP and SIGCONT: no renewal for longer than it lasts."""
    held = Lease(prefix)
    monkeypatch.setattr(held, "_renew", lambda: None)
    with held.held():
        held.require()
        time.sleep(3.1)
        with pytest.raises(LakeBusy, match="this process slept, or did not reach"):
            held.require()
        with Lease(prefix).held():
            pass


def test_what_tenure_did_not_write_is_not_overwritten(prefix):
    (prefix / lease.FILE_NAME).write(b"a note")
    with pytest.raises(StoreError, match="something that Tenure did not write"), Lease(prefix).held():
        pass
    assert (prefix / lease.FILE_NAME).read_bytes() == b"a note"
