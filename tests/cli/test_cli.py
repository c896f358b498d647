"""The command: verbs, exit codes, messages with hints, JSON lines; never a traceback for a user's mistake.

The golden SQL in tests/golden is rewritten by
`TENURE_REWRITE_GOLDEN=1 .venv/bin/pytest tests/cli/test_cli.py -k golden`.
"""

import json
import os
import re
import subprocess
import sys
import time
from importlib.metadata import entry_points
from pathlib import Path

import duckdb
import pytest
from tiny_bank import ASKED, write_tiny_bank
from typer.testing import CliRunner

import tenure
from tenure import cli, errors
from tenure.define.stage import SQL_STAGES, STAGES
from tenure.store.lake import Lake

GOLDEN = Path(__file__).parents[1] / "golden"
COMMAND = (sys.executable, "-m", "tenure.cli")
HEAVY = ("deltalake", "duckdb", "lightgbm", "pandas", "pyarrow", "pyspark", "sklearn")


@pytest.fixture
def bank(tmp_path):
    return write_tiny_bank(tmp_path / "bank")


@pytest.fixture
def told(monkeypatch, capsys):
    """Run the command as `main` does and return (exit code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["tenure", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return run


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def files(folder):
    return {f: f.stat().st_mtime_ns for f in folder.rglob("*") if f.is_file()}


def test_help_lists_a_verb_for_every_stage():
    done = CliRunner().invoke(cli.app, ["--help"])
    assert done.exit_code == 0
    verbs = [line.split()[0] for line in done.output.splitlines() if re.match(r"  [a-z][a-z_-]*  ", line)]
    assert [verb for verb in verbs if verb in STAGES] == list(STAGES)
    assert verbs[:4] == ["init", "demo", "run", "staging"]
    assert set(verbs) >= {*STAGES, "check", "status", "sql", "verify", "version"}


def test_help_groups_every_verb_by_its_purpose_and_cuts_no_summary():
    lines = CliRunner().invoke(cli.app, ["--help"]).output.splitlines()
    headings = [line for line in lines if re.fullmatch(r"[A-Z].*:", line)]
    assert headings == [
        "Options:",
        "Build the tables:",
        "Look at what is there:",
        "Prove that it is right:",
        "Model attrition:",
    ]
    registered = {c.name for c in cli.app.registered_commands} | {g.name for g in cli.app.registered_groups}
    listed = [line.split()[0] for line in lines if re.match(r"  [a-z][a-z_-]*  ", line)]
    assert sorted(listed) == sorted(registered)
    assert "..." not in " ".join(lines[1:])
    assert "which run and stage." in " ".join(" ".join(lines).split())


@pytest.mark.parametrize("command", sorted(c.name or c.callback.__name__ for c in cli.app.registered_commands))
def test_every_verb_explains_itself(command):
    done = CliRunner().invoke(cli.app, [command, "--help"])
    assert done.exit_code == 0
    assert f"{command} [OPTIONS]" in done.output


def test_help_loads_no_engine_and_no_model_library():
    script = (
        "import sys\nfrom tenure import cli\nsys.argv = ['tenure', '--help']\n"
        "try:\n    cli.main()\nexcept SystemExit:\n    pass\n"
        f"print('loaded:', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded: []"


def test_version(told):
    assert told("version") == (0, f"{tenure.__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command"),
        (["run", "--engin", "duckdb"], "No such option"),
        (["run", "--from", "stagin"], "'stagin' is not a stage; stages: staging, reconcile, snapshots"),
        (["run", "--from", "labels", "--to", "snapshots"], "--from labels comes after --to snapshots"),
        (["plan", "--from", "2024-03-31", "--to", "2024-01-31"], "--from 2024-03-31 comes after --to 2024-01-31"),
        (["backfill", "--from", "2024-03-31", "--to", "2024-01-31"], "--from 2024-03-31 comes after --to 2024-01-31"),
        (["backfill", "--from", "31.12.2024"], "'31.12.2024' does not match the formats '%Y-%m-%d'"),
        (["sql", "train"], "'train' is not made by SQL; stages that are: staging"),
        (["init"], "Missing argument"),
    ],
)
def test_wrong_usage_is_exit_2(arguments, message):
    done = CliRunner().invoke(cli.app, arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.output.replace("│", " ").split())
    assert "Traceback" not in done.output


def test_every_error_class_has_an_exit_code():
    def leaves(kind):
        return [leaf for sub in kind.__subclasses__() for leaf in (leaves(sub) or [sub])]

    without = [kind for kind in leaves(errors.TenureError) if not any(issubclass(kind, k) for k in cli.EXIT_CODES)]
    assert without == []


def test_docs_name_every_verb_stage_and_error_under_its_exit_code():
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    assert [stage for stage in STAGES if f"`{stage}`" not in page] == []
    table = page.partition("## Exit codes")[2]
    for kind, code in cli.EXIT_CODES.items():
        (row,) = [line for line in table.splitlines() if line.startswith(f"| {code} |")]
        assert [sub.__name__ for sub in kind.__subclasses__() if f"`{sub.__name__}`" not in row] == []


def mistake_in_project(bank):
    edit(bank / "features" / "paid.py", 'of="amount"', 'of="amout"')
    return ("run",), 3, "UnknownColumn:", "Run 'tenure check'."


def mistake_in_config(bank):
    edit(bank / "tenure.toml", "test_snapshots", "tests")
    return ("check",), 3, "InvalidConfig:", "See docs/config.md for every key."


def mistake_in_data(bank):
    edit(bank / "data" / "payments.csv", "2023-07-04", "04.07.2023")
    return ("staging",), 4, "BadValue:", "Fix the data"


def missing_file(bank):
    (bank / "data" / "payments.csv").unlink()
    return ("check",), 4, "MissingFile:", "Give the data folder with --data DIR"


def horizon_longer_than_the_data(bank):
    edit(bank / "churn.py", "horizon=30", "horizon=300")
    return ("run", "--to", "labels"), 5, "CensoredHorizon:", "Shorten the horizon"


def table_not_built(bank):
    return ("features",), 7, "MissingTable:", "Run 'tenure staging'."


def wrong_engine_option(bank):
    edit(bank / "tenure.toml", "[splits]", "[engine]\noptions = { no_such_option = 'x' }\n\n[splits]")
    return ("staging",), 7, "EngineError:", "See [engine] in tenure.toml."


@pytest.mark.parametrize(
    "make",
    [
        mistake_in_project,
        mistake_in_config,
        mistake_in_data,
        missing_file,
        horizon_longer_than_the_data,
        table_not_built,
        wrong_engine_option,
    ],
)
def test_mistake_has_its_exit_code_message_and_hint_on_stderr(bank, told, make):
    arguments, code, message, hint = make(bank)
    got, out, err = told(*arguments, "--project", bank, "--json")
    assert got == code, err
    assert err.startswith(message)
    assert hint in err
    assert "Traceback" not in err
    assert [json.loads(line)["status"] for line in out.splitlines() if '"stage"' in line].count("failed") == 0


def test_broken_proof_is_exit_6(told, monkeypatch):
    def broken():
        raise errors.CheckFailed("table 'labels' breaks its contract", hint="SELECT 1")

    monkeypatch.setattr("tenure.cli.application.app", broken)
    assert told() == (6, "", "CheckFailed: table 'labels' breaks its contract\nSELECT 1\n")


def test_run_tells_a_line_a_stage_and_json_lines_parse(bank, told):
    code, out, err = told("run", "--project", bank, "--to", "labels")
    assert (code, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()] == [
        [stage, "built" if stage in ASKED else "current"] for stage in SQL_STAGES[:5]
    ]
    assert all(" rows " in line and line.rstrip().split()[-1] for line in out.splitlines())

    code, out, err = told("run", "--project", bank, "--to", "labels", "--json")
    records = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [(r["stage"], r["status"]) for r in records] == [(stage, "current") for stage in SQL_STAGES[:5]]
    wanted = {
        "run_id",
        "stage",
        "status",
        "started_at",
        "seconds",
        "rows",
        "fingerprint",
        "versions",
        "checks",
        "engine",
    }
    assert all(wanted | {"message", "record", "schema"} == set(record) for record in records)
    assert records[0]["versions"] == {"staging/customers": 0, "staging/payments": 0}


def test_stage_verb_runs_that_stage_alone(bank, told):
    assert told("staging", "--project", bank)[0] == 0
    code, out, _ = told("snapshots", "--project", bank, "--json")
    assert code == 0
    assert [json.loads(line)["stage"] for line in out.splitlines()] == ["snapshots"]
    assert not (bank / "lake" / "features").exists()


def test_data_folder_can_be_given(bank, told):
    (bank / "data").rename(bank / "elsewhere")
    assert told("staging", "--project", bank)[0] == 4
    assert told("staging", "--project", bank, "--data", bank / "elsewhere")[0] == 0


def test_status_before_during_and_after(bank, told):
    assert told("status", "--project", bank) == (0, "Nothing was run yet. Run 'tenure run'.\n", "")
    assert told("status", "--project", bank, "--json") == (0, "", "")
    told("run", "--project", bank, "--to", "features")
    code, out, _ = told("status", "--project", bank, "--json")
    assert code == 0
    assert [(r["stage"], r["status"]) for r in map(json.loads, out.splitlines())] == [
        ("staging", "built"),
        ("reconcile", "current"),
        ("snapshots", "built"),
        ("features", "built"),
    ]
    edit(bank / "data" / "payments.csv", "2023-07-04", "04.07.2023")
    told("staging", "--project", bank)
    code, out, _ = told("status", "--project", bank)
    lines = out.splitlines()
    assert lines[0].split()[:2] == ["staging", "failed"]
    assert "04.07.2023" in lines[0]
    assert lines[1].split()[:2] == ["reconcile", "current"]
    assert lines[2].split()[:2] == ["snapshots", "built"]


def test_status_of_a_folder_that_is_no_project(tmp_path, told):
    code, out, err = told("status", "--project", tmp_path)
    assert (code, out) == (4, "")
    assert err.startswith("MissingFile:")
    assert "tenure init DIR" in err


def test_check_finds_nothing_wrong_and_writes_nothing(bank, told):
    before = files(bank)
    code, out, err = told("check", "--project", bank)
    assert (code, err) == (0, "")
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "ok  definitions",
        "ok  source customers",
        "ok  source payments",
        "ok  end of the data",
        "ok  SQL for duckdb",
        "ok  SQL for spark",
        "note  staged rows",
        "ok  leaks",
    ]
    code, out, _ = told("check", "--project", bank, "--json")
    assert code == 0
    assert all(set(json.loads(line)) >= {"record", "schema", "subject", "message"} for line in out.splitlines())
    assert files(bank) == before


@pytest.mark.parametrize(
    ("file", "old", "new", "code", "message"),
    [
        ("data/payments.csv", "paid_on", "paid_at", 4, "MissingColumn: source 'payments' reads column 'paid_on'"),
        ("features/paid.py", "amount > 50", "amout > 50", 3, "UnknownColumn: feature 'large'"),
        ("features/paid.py", "amount > 50", "amount >", 3, "InvalidDefinition: feature 'large'"),
        ("churn.py", 'Inactivity("payments")', 'Inactivity("payment")', 3, "UnknownSource: churn definition 'quiet'"),
        ("sources.py", 'read=Csv("payments.csv")', 'read=Csv("paymets.csv")', 4, "MissingFile: source 'payments'"),
    ],
)
def test_check_finds_problems_and_writes_nothing(bank, told, file, old, new, code, message):
    edit(bank / file, old, new)
    before = files(bank)
    got, _, err = told("check", "--project", bank)
    assert got == code
    assert err.startswith(message)
    assert files(bank) == before


def test_init_writes_a_project_that_loads_and_refuses_one_that_is_there(tmp_path, told):
    folder = tmp_path / "mybank"
    code, out, err = told("init", folder)
    assert (code, err) == (0, "")
    for name in ("tenure.toml", "sources.py", "churn.py"):
        assert f"wrote {folder / name}" in out.splitlines()
    assert tenure.load_project(folder, "My Bank").columns
    before = files(folder)
    (folder / "churn.py").write_text("# the bank's own\n")
    code, out, err = told("init", folder)
    assert (code, out) == (3, "")
    assert err.startswith(f"InvalidConfig: '{folder}' is a Tenure project already.")
    assert (folder / "churn.py").read_text() == "# the bank's own\n"
    assert set(files(folder)) == set(before)


@pytest.mark.parametrize("dialect", ["duckdb", "spark"])
def test_sql_of_features_is_golden(bank, told, dialect):
    told("staging", "--project", bank)
    code, out, err = told("sql", "features", "--project", bank, "--engine", dialect)
    assert (code, err) == (0, "")
    golden = GOLDEN / f"features.{dialect}.sql"
    if os.environ.get("TENURE_REWRITE_GOLDEN"):
        golden.write_text(out, encoding="utf-8")
    assert out == golden.read_text(encoding="utf-8"), "see this module's docstring to rewrite it"


def test_sql_that_is_printed_is_sql_that_runs(bank, told):
    told("run", "--project", bank, "--to", "features")
    _, out, _ = told("sql", "features", "--project", bank)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name in ("snapshots", "staging/customers", "staging/payments"):
            rows = Lake(bank / "lake").read(name)
            connection.register("rows", rows)
            times = ", ".join(
                f"CAST({c} AS TIMESTAMP) AS {c}" for c in rows.column_names if c.endswith(("_time", "_until"))
            )
            replace = f" REPLACE ({times})" if times else ""
            connection.execute(f"CREATE TABLE {Path(name).name} AS SELECT *{replace} FROM rows")
        *held, final = out.strip().split(";\n\n")
        for statement in held:
            connection.execute(statement)
        printed = connection.sql(final.rstrip(";")).to_arrow_table()
    printed = printed.sort_by([("snapshot_date", "ascending"), ("customer_id", "ascending")])
    kept = Lake(bank / "lake").read("features").sort_by([("snapshot_date", "ascending"), ("customer_id", "ascending")])
    assert printed.to_pylist() == kept.select(printed.column_names).to_pylist()


@pytest.mark.parametrize("stage", ASKED)
def test_sql_of_every_stage_prints_for_both_engines(bank, told, stage):
    told("staging", "--project", bank)
    code, out, err = told("sql", stage.replace("_", "-"), "--project", bank)
    assert (code, err) == (0, "")
    assert out.startswith("-- ")
    assert out.rstrip().endswith(";")
    if stage != "staging":  # planning raw files would start Spark
        assert told("sql", stage, "--project", bank, "--engine", "spark")[0] == 0


@pytest.mark.parametrize("engines", ["duckdb", "duckdb,duckdb", ",spark"])
def test_verify_needs_two_engines(bank, told, engines):
    code, out, err = told("verify", "--engines", engines, "--project", bank)
    assert (code, out) == (3, "")
    assert "two different engines, such as duckdb,spark" in err


def test_verify_refuses_an_engine_that_does_not_exist(bank, told):
    code, _, err = told("verify", "--engines", "duckdb,oracle", "--project", bank)
    assert code == 3
    assert "'oracle'" in err


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.thorough  # test_gate.py compares the engines, in the session that all tests share
def test_verify_compares_duckdb_and_spark_cell_by_cell_and_leaves_the_project_alone(spark_session, bank):
    before = files(bank)
    done = subprocess.run(
        [*COMMAND, "verify", "--engines", "duckdb,spark", "--project", str(bank), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [t["table"] for t in told] == ["customers", "payments", *ASKED[1:]]
    assert all(t["rows"] > 0 and t["different_cells"] == 0 for t in told)
    assert files(bank) == before


def command(*arguments):
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=600)


def test_process_exits_with_codes_and_json_on_stdout_alone(bank):
    done = command("run", "--project", bank, "--to", "snapshots", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["stage"] for line in done.stdout.splitlines()] == ["staging", "reconcile", "snapshots"]

    edit(bank / "tenure.toml", "test_snapshots", "tests")
    done = command("run", "--project", bank, "--json")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines() == [
        ("InvalidConfig: tenure.toml has the unknown key [splits] tests; allowed: folds, group, test_snapshots."),
        "See docs/config.md for every key.",
    ]


def test_process_stopped_by_the_keyboard_shows_no_traceback(bank):
    with subprocess.Popen(
        [*COMMAND, "run", "--project", str(bank), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout.readline(), "the first stage has ended"
        time.sleep(0.05)
        running.send_signal(2)
        _, err = running.communicate(timeout=600)
    assert running.returncode == 130
    assert "Traceback" not in err


def test_console_script_is_main():
    (script,) = entry_points(group="console_scripts", name="tenure")
    assert script.load() is cli.main


def test_a_file_where_the_lake_should_be_is_no_traceback(bank):
    (bank / "lake").write_text("not a folder")
    done = command("run", "--project", bank)
    assert done.returncode == 7
    assert (
        f"FileAccessError: the start of the run: '{bank / 'lake'}' in the lake can't be read or written" in done.stderr
    )
    assert "No log could be kept" in done.stderr
    assert "Traceback" not in done.stderr


def test_verify_prints_a_line_a_proof_and_exits_6_where_one_fails(bank, told):
    told("run", "--project", bank, "--to", "features")
    code, out, err = told("verify", "--project", bank)
    assert (code, err) == (0, "")
    assert [line[:13].strip() for line in out.splitlines()[:4]] == ["rows", "oracle", "time travel", "backfill"]
    assert out.splitlines()[-1].startswith("ok  leaks: none found")
    assert all(" proved " in line and " cells " in line for line in out.splitlines()[:4])

    code, out, _ = told("verify", "--rows", "--oracle", "--snapshots", "2", "--project", bank, "--json")
    proofs = [json.loads(line) for line in out.splitlines()]
    assert [proof["proof"] for proof in proofs] == ["rows", "oracle"]
    assert all(proof["different_cells"] == 0 < proof["cells"] for proof in proofs)
    assert "2 snapshots" in proofs[1]["message"]

    # Another definition, and features that are not built anew.
    edit(bank / "features" / "paid.py", "amount > 50", "amount > 10")
    code, out, err = told("verify", "--oracle", "--project", bank)
    assert code == 6
    assert "FAILED" in out
    assert err.startswith("CheckFailed: table 'features' fails its proof, the stored features are not what was known: ")
    assert "large_count_90d at customer_id=" in err
    assert "run 'tenure run' first" in err
    _, out, _ = told("status", "--project", bank)
    assert out.splitlines()[-1].split()[:2] == ["verify", "failed"]
