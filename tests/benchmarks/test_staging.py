"""The benchmark of staging runs small, and tells a ratio of processor time for each kind of file."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "staging.py"


def test_both_kinds_of_files_and_a_new_month_are_staged_and_compared(tmp_path):
    command = [
        sys.executable,
        str(SCRIPT),
        "--rows",
        "4k",
        "--csv-rows",
        "2k",
        "--month-rows",
        "6k",
        "--rounds",
        "1",
        "--dir",
        str(tmp_path),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["kind"], line["rows"]) for line in lines] == [("parquet", 4000), ("csv", 2000), ("new month", 6000)]
    assert lines.pop()["cpu_share"] > 0
    for line in lines:
        assert line["cpu_times"] > 0
        assert line["tenure_peak_mib"] > 20
    # 20 customers and 3,996 bookings: one row in a thousand is an exact duplicate.
    assert "staging: built, 4,016 rows" in done.stderr
