"""S3 that fails, slows down, breaks off and forgets to answer: no row is lost or doubled, and nothing is half done."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pyarrow as pa
import pytest
from s3_proxy import Break, Proxy
from store.test_lake_on_s3 import SETTINGS, on_s3, ran, require_same
from tiny_bank import write_leavers, write_tiny_bank

from tenure.checks.in_memory import schema_of
from tenure.define.contract_base import Contract
from tenure.errors import LakeBusy, StorageError
from tenure.storage import credentials
from tenure.storage.s3 import S3Location
from tenure.store.integrity import survey
from tenure.store.lake import Lake

ROWS = Contract(table="rows", keys=("writer", "number"), columns={"writer": "int64", "number": "int64"})


@pytest.fixture
def proxy(s3_settings):
    with Proxy(s3_settings.endpoint) as started:
        yield started


@pytest.fixture
def place(proxy, prefix):
    """A prefix of S3 that is reached through the proxy."""
    return S3Location(prefix.bucket, prefix.key, replace(prefix.settings, endpoint=proxy.url))


@pytest.mark.parametrize("kind", ["500", "503", "slow", "reset"])
@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD"])
def test_a_request_that_fails_is_made_again(proxy, place, kind, method):
    if (kind, method) == ("reset", "HEAD"):
        pytest.skip("a HEAD has no body to break off in")
    content = os.urandom(300_000)
    proxy.breaks.append(Break(kind, method=method, times=2))
    (place / "data").write(content)
    assert (place / "data").stat().size == len(content)
    assert (place / "data").read_bytes() == content
    assert (place / "data").read_range(1000, 200_000) == content[1000:200_000]


def test_an_answer_that_is_lost_after_a_put_is_made_good(proxy, place):
    proxy.breaks.append(Break("lost answer", method="PUT"))
    assert (place / "commit").create(b"mine")
    assert (place / "commit").read_bytes() == b"mine"
    proxy.breaks.append(Break("lost answer", method="PUT"))
    assert not (place / "commit").create(b"another's")


def test_a_service_that_fails_for_good_is_said(proxy, place, monkeypatch):
    monkeypatch.setattr(credentials, "ATTEMPTS", 2)
    proxy.breaks.append(Break("503", times=1000))
    with pytest.raises(StorageError, match=r"S3 can't answer for 's3://.*SlowDown") as refused:
        (place / "data").read_bytes()
    assert "Run again" in refused.value.hint


def write_rows(lake, writer, number):
    """Append a row until no other writer comes in between; return how often one did."""
    row = pa.Table.from_pylist([{"writer": writer, "number": number}], schema=schema_of(ROWS))
    for came_first in range(1000):
        try:
            lake.write(row, ROWS, mode="append")
        except LakeBusy:
            continue
        return came_first
    raise AssertionError("never came through")


@pytest.mark.s3_matrix
@pytest.mark.parametrize("with_lease", [False, True])
def test_writers_at_once_lose_no_row_and_double_none(proxy, place, with_lease, commits):
    proxy.breaks.append(Break("lost answer", method="PUT", key="_delta_log", times=10**9, chance=0.05))
    proxy.breaks.append(Break("500", times=10**9, chance=0.005))
    writers, each = 8, commits // 8
    failed = []

    def write(writer):
        try:
            for number in range(each):
                lake = Lake(place)
                while with_lease:
                    try:
                        with lake.locked():
                            write_rows(lake, writer, number)
                        break
                    except LakeBusy:
                        time.sleep(0.05)
                if not with_lease:
                    write_rows(lake, writer, number)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    found = Lake(place).read("rows").to_pylist()
    assert sorted((row["writer"], row["number"]) for row in found) == [
        (writer, number) for writer in range(writers) for number in range(each)
    ]
    assert Lake(place).require("rows").version == writers * each - 1


@pytest.fixture
def commits():
    """How many commits the writers make: 500 in `make test-s3`."""
    return int(os.environ.get("TENURE_S3_COMMITS", "48"))


@pytest.mark.s3_matrix
def test_a_run_over_a_service_that_fails_now_and_then_gives_the_same_rows(proxy, place, tmp_path):
    here = write_tiny_bank(tmp_path / "here")
    write_leavers(here / "data")
    (here / "tenure.toml").write_text((here / "tenure.toml").read_text() + SETTINGS)
    there = shutil.copytree(here, tmp_path / "there")
    on_s3(there, place)
    for kind, chance in (("500", 0.01), ("503", 0.01), ("slow", 0.002), ("reset", 0.01), ("lost answer", 0.01)):
        proxy.breaks.append(Break(kind, times=10**9, chance=chance))
    assert ran(here) == ran(there)
    proxy.breaks.clear()
    require_same(Lake(here / "lake"), Lake(place))
    with Lake(place).locked():
        found = survey(Lake(place))
    assert found.damages == ()
    assert found.strangers == ()


#: A writer that is stopped between sending its files and its commit.
SLEEPER = """
import os, signal, sys
import pyarrow as pa
from store.test_faults_of_s3 import ROWS, schema_of
from tenure.errors import LakeBusy
from tenure.storage.s3 import S3Location
from tenure.storage.settings import S3Settings
from tenure.store import lease
from tenure.store.lake import Lake
from tenure.store.log_digests import TableLog

lease.LASTS = 2.0
bucket, key, endpoint, at = sys.argv[1:]
lake = Lake(S3Location(bucket, key, S3Settings(endpoint=endpoint, region="us-east-1", path_style=True)))
stopped = []
def stop(*_):
    if not stopped:
        stopped.append(1)
        print("stopping", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
if at == "before the lease is asked for":
    begin = TableLog.begin_commit
    TableLog.begin_commit = lambda self: (begin(self), stop())[0]
else:
    require = lease.Lease.require
    lease.Lease.require = lambda self: (require(self), stop())[0]
try:
    with lake.locked():
        lake.write(pa.Table.from_pylist([{"writer": 1, "number": 1}], schema=schema_of(ROWS)), ROWS)
except LakeBusy as error:
    print("fenced:", error.message)
"""


@pytest.mark.slow
@pytest.mark.parametrize("at", ["before the lease is asked for", "after the lease was found good"])
def test_a_writer_that_slept_through_its_lease_is_fenced(prefix, at, monkeypatch):
    from tenure.store import lease

    def row(number):
        return pa.Table.from_pylist([{"writer": 0, "number": number}], schema=schema_of(ROWS))

    lake = Lake(prefix)
    with lake.locked():
        lake.write(row(0), ROWS)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", SLEEPER, prefix.bucket, prefix.key, prefix.settings.endpoint, at]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as sleeper:
        assert sleeper.stdout.readline() == "stopping\n"
        monkeypatch.setattr(lease, "LASTS", 2.0)
        time.sleep(3.1)
        woken = Lake(prefix)
        with woken.locked():
            woken.write(row(1), ROWS)
        sleeper.send_signal(signal.SIGCONT)
        said = sleeper.stdout.read()
    assert said.startswith("fenced:")
    assert Lake(prefix).read("rows").to_pylist() == [{"writer": 0, "number": 1}]
    with Lake(prefix).locked():
        found = survey(Lake(prefix))
    assert found.damages == ()
