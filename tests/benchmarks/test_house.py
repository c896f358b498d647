"""The house's figures are counted as a reader would count them, on small modules written by hand."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "house.py"


@pytest.fixture(scope="module")
def house():
    spec = importlib.util.spec_from_file_location("benchmark_house", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def package(folder, **modules):
    for path, source in modules.items():
        file = folder / "tenure" / f"{path.replace('__', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    return folder / "tenure"


MODULE = '''"""A docstring
over two lines."""

# A comment.
TEXT = """
one

three
"""


def add(a, b):
    """Add."""
    return a + b  # why
'''


def test_code_lines_are_without_blanks_comments_and_docstrings(house):
    counts = house.measure(MODULE, "tables/sums.py")
    assert counts.lines == 14
    assert counts.code == 6  # TEXT's four, and two of the function


@pytest.mark.parametrize(
    "line",
    [
        "f'{a}'",
        "f'{a:{width}}'",
        "'{} {}'.format(a, b)",
        "_ROW.format(a)",
        "'%s and %s' % (a, b)",
        "'a' + x + 'b'",
        "x + ('a' + y)",
        "' '.join(['a', x])",
        "' '.join(('a', x))",
        "'a ' f'{x}' ' b'",
        "call(value=f'{a}')",
    ],
)
def test_each_way_to_put_a_value_into_text_is_one_f_string(house, line):
    assert house.measure(line, "a.py").fstrings == 1


@pytest.mark.parametrize("line", ["'a' 'b'", "'a' + 'b'", "a + b", "n % 2", "' '.join(names)", "[1] + [x]", "'a'"])
def test_what_puts_no_value_into_text_is_none(house, line):
    assert house.measure(line, "a.py").fstrings == 0


def test_f_strings_within_a_chain_are_counted_each_and_the_chain_only_for_its_plain_text(house):
    assert house.measure("f'{a}' + f'{b}'", "a.py").fstrings == 2
    assert house.measure("f'{a}' + b", "a.py").fstrings == 1
    assert house.measure("'a' + f(g('b' + c)) + d", "a.py").fstrings == 2


def test_comprehensions_of_each_kind_are_counted_and_so_are_nested_ones(house):
    source = "a = [x for x in y]\nb = {x for x in y}\nc = {x: 1 for x in y}\nd = sum(max(z for z in x) for x in y)\n"
    assert house.measure(source, "a.py").comprehensions == 5


@pytest.mark.parametrize(
    "test",
    [
        "dialect == 'spark'",
        "work.dialect != 'duckdb'",
        "'spark' == self.dialect",
        "dialect in ('spark', 'duckdb')",
        "dialect not in _NATIVE",
        "name == 'spark'",
        "name == Dialect.SPARK",
        "name in {Dialect.SPARK}",
    ],
)
def test_a_question_of_which_dialect_it_is_counts_outside_its_homes_alone(house, test):
    source = f"if {test}:\n    pass\n"
    assert house.measure(source, "tables/labels.py").dialects_outside == 1
    for home in ("sql/dialects.py", "sql.py", "engines/duckdb.py", "proofs/oracle/values.py"):
        assert house.measure(source, home).dialects_outside == 0


def test_a_match_on_a_dialect_counts(house):
    source = "match work.dialect:\n    case 'spark':\n        pass\n"
    assert house.measure(source, "leaks/search.py").dialects_outside == 1


@pytest.mark.parametrize(
    "test", ["dialect == work.dialect", "op('x', dialect) == y", "library in ('duckdb', 'pyarrow')"]
)
def test_what_asks_for_no_dialect_by_name_is_no_such_question(house, test):
    assert house.measure(test, "tables/labels.py").dialects_outside == 0


def test_isinstance_is_counted_everywhere_and_apart_outside_its_homes(house):
    source = "isinstance(a, int) and isinstance(b, str)"
    inside, outside = house.measure(source, "define/source.py"), house.measure(source, "session/origins.py")
    assert (inside.isinstances, inside.isinstances_outside) == (2, 0)
    assert (outside.isinstances, outside.isinstances_outside) == (2, 2)


def test_a_function_is_measured_without_its_docstring(house):
    def function(lines):
        return 'def build():\n    """One.\n\n    Two.\n    """\n' + "    x = 1\n" * (lines - 1)

    assert house.measure(function(60), "a.py").long_functions == []
    assert house.measure(function(61), "a.py").long_functions == ["a.py:1 build (61 lines)"]


def test_modules_that_import_each_other_are_a_cycle_within_functions_too(house, tmp_path):
    found = house.measure_house(
        package(
            tmp_path,
            __init__="",
            sql____init__="",
            sql__a="from tenure.sql import b\n",
            sql__b="def f():\n    import tenure.sql.c\n",
            sql__c="from tenure.sql.a import X\n",
            sql__d="from tenure.sql.a import X\n",
        )
    )
    assert found.cycles == (("tenure.sql.a", "tenure.sql.b", "tenure.sql.c"),)


def test_rooms_are_folders_and_loose_modules_and_shares_are_of_all_lines(house, tmp_path):
    found = house.measure_house(
        package(tmp_path, config="x = 1\n", tables__a="x = 1\n" * 5, tables__deep__b="y = f'{x}'\n" * 2)
    )
    assert set(found.rooms) == {"config", "tables"}
    assert found.largest == "tables"
    assert found.share("tables") == pytest.approx(7 / 8)
    assert found.whole.rate(found.whole.fstrings) == pytest.approx(250)
    assert {goal: is_met for goal, _, is_met in house.goals(found)}["no import cycle"]


def test_goals_fail_one_by_one(house, tmp_path):
    dense = package(tmp_path, tables__a="x = f'{y}'\nif dialect == 'spark':\n    z = [a for a in b]\n")
    met = [is_met for _, _, is_met in house.goals(house.measure_house(dense))]
    assert met == [False, False, False, False, True, True]


def test_the_script_prints_every_room_of_this_house_and_its_goals():
    done = subprocess.run([sys.executable, str(SCRIPT)], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    rooms = [path.name for path in (ROOT / "tenure").iterdir() if (path / "__init__.py").is_file()]
    printed = {line.split(" ")[0] for line in done.stdout.splitlines()}
    assert set(rooms) <= printed
    assert "half of b9c3916's 138.5" in done.stdout


def test_a_tree_without_the_package_is_refused(tmp_path):
    command = [sys.executable, str(SCRIPT), "--tree", str(tmp_path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "--tree is a checkout of Tenure" in done.stderr
