"""Text files as editors write them, and terminals as there are: any encoding, no reader, no room."""

import codecs
import subprocess

import pytest
from faults.command import COMMAND, ENVIRONMENT, edit, tenure
from tiny_bank import write_tiny_bank

from tenure import load_project
from tenure.config import load_config
from tenure.errors import InvalidConfig, InvalidDefinition

#: How an editor or a shell saves the same text.
SAVED = {
    "UTF-8": lambda text: text.encode(),
    "UTF-8 with a mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "UTF-16, big end first": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "UTF-16 without a mark": lambda text: text.encode("utf-16-le"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "with returns": lambda text: text.replace("\n", "\r\n").encode(),
    "with a mark and returns": lambda text: codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode(),
}
VERBS = [
    ["check"],
    ["plan"],
    ["status"],
    ["history"],
    ["history", "features"],
    ["sql", "features"],
    ["show", "features"],
    ["lineage", "payment_count_30d"],
    ["features", "list"],
    ["features", "search", "payments"],
    ["features", "describe", "payment_count_30d"],
    ["verify", "--rows"],
    ["run", "--to", "features"],
    ["run", "--from", "nothing"],
    ["show", "nothing"],
]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    bank = write_tiny_bank(tmp_path_factory.mktemp("terminal") / "bank")
    edit(bank / "features" / "paid.py", 'doc="Payments"', 'doc="Zahlungen × Größe → …"')
    edit(bank / "tenure.toml", '"Tiny Bank"', '"Größte Bank ☂"')
    done = tenure("run", "--project", bank, "--to", "features")
    assert done.returncode == 0, done.stderr
    return bank


@pytest.mark.parametrize("saved", SAVED, ids=list(SAVED))
def test_config_and_definitions_are_read_however_they_were_saved(tmp_path, saved):
    bank = write_tiny_bank(tmp_path / "bank")
    edit(bank / "tenure.toml", '"Tiny Bank"', '"Größte Bank"')
    edit(bank / "features" / "paid.py", 'doc="Amount paid"', 'doc="Größe"')
    plain = load_project(bank, "x").fingerprint
    for file in [bank / "tenure.toml", *bank.glob("*.py"), *bank.glob("features/*.py")]:
        file.write_bytes(SAVED[saved](file.read_text()))
    assert load_config(bank).project.name == "Größte Bank"
    project = load_project(bank, "x")
    assert project.fingerprint == plain
    texts = {str(name): described.text for name, described in project.columns.items()}
    assert texts["amount_sum_30d"].startswith("Größe")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[project]\nname = "Größte"\n'.encode("cp1252"), "tenure.toml, line 2: byte 0xf6 is not UTF-8."),
        (codecs.BOM_UTF16_LE + b"[\0p", "tenure.toml, line 1: byte 0x70 is not UTF-16."),
        (b"[project]\nname = 'a\0b'\n", "tenure.toml, line 2: a zero byte; it is not a text file."),
        (codecs.BOM_UTF8 + b"\xff", "tenure.toml, line 1: byte 0xff is not UTF-8."),
    ],
)
def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path, content, words):
    bank = write_tiny_bank(tmp_path / "bank")
    (bank / "tenure.toml").write_bytes(content)
    with pytest.raises(InvalidConfig) as caught:
        load_config(bank)
    assert caught.value.message == words
    assert caught.value.hint == "Save the file as UTF-8."


def test_definitions_that_are_no_text_are_told(tmp_path):
    bank = write_tiny_bank(tmp_path / "bank")
    (bank / "churn.py").write_bytes(b"# Gr\xf6\xdfe\n")
    with pytest.raises(InvalidDefinition, match=r"churn\.py"):
        load_project(bank, "x")
    (bank / "churn.py").write_bytes(codecs.BOM_UTF16_LE + b"a\0b")
    with pytest.raises(InvalidDefinition, match=r"churn\.py, line 1: byte 0x62 is not UTF-16"):
        load_project(bank, "x")


@pytest.mark.parametrize("verb", VERBS, ids=[" ".join(verb) for verb in VERBS])
def test_every_verb_prints_to_a_terminal_that_lacks_signs(built, verb):
    whole = tenure(*verb, "--project", built)
    for encoding in ("ascii", "cp1252"):
        environment = {**ENVIRONMENT, "PYTHONIOENCODING": encoding, "LANG": "C", "PYTHONUTF8": "0"}
        done = subprocess.run(
            [*COMMAND, *verb, "--project", str(built)], capture_output=True, check=False, env=environment, timeout=300
        )
        out, err = done.stdout.decode(encoding), done.stderr.decode(encoding)
        assert done.returncode == whole.returncode, err
        assert "UnicodeEncodeError" not in err
        assert "Traceback" not in err
        assert len(out.splitlines()) == len(whole.stdout.splitlines())


def test_signs_are_replaced_by_what_they_mean(built):
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}
    done = tenure("features", "describe", "payment_count_30d", "--project", built, env=environment)
    assert "Zahlungen x Gr\\xf6\\xdfe -> ..." in done.stdout


@pytest.mark.parametrize("verb", [["history"], ["features", "list"], ["sql", "features"], ["check"]])
def test_a_reader_that_goes_ends_the_command_quietly(built, verb):
    with subprocess.Popen(
        [*COMMAND, *verb, "--project", str(built)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as running:
        running.stdout.close()
        err = running.stderr.read()
    assert (running.returncode, err) == (141, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_streams_that_are_closed_harm_nothing(built, closed):
    command = f"'{COMMAND[0]}' -m tenure.cli run --to features --project '{built}' {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert (done.returncode, done.stderr) == (0, "")
    assert (built / "lake" / ".lock").read_text().strip().split()[0].isdigit()


def test_control_signs_of_values_do_not_reach_the_terminal(tmp_path):
    bank = write_tiny_bank(tmp_path / "bank")
    edit(bank / "data" / "customers.csv", "north", "no\x1b]0;owned\x07rth")
    assert tenure("run", "--project", bank, "--to", "staging").returncode == 0
    done = tenure("show", "staging/customers", "--project", bank)
    assert "\x1b" not in done.stdout
    assert "no\\x1b]0;owned\\x07rth" in done.stdout


@pytest.mark.parametrize("arguments", [["--version"], ["version"]])
def test_the_version_is_told(arguments):
    import tenure as package

    done = tenure(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{package.__version__}\n", "")


@pytest.mark.parametrize("verb", [[], ["run"], ["features"], ["features", "list"], ["historical-features"], ["init"]])
def test_help_is_there_by_its_short_name(verb):
    short, long = tenure(*verb, "-h"), tenure(*verb, "--help")
    assert (short.returncode, short.stdout) == (0, long.stdout)
    assert "Usage:" in short.stdout
