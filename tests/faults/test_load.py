"""The suite passes on a busy machine: no test asserts how long anything took."""

import ast
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).resolve().parents[1]
CLOCKS = {"perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "process_time", "thread_time", "timeit"}
SPANS = ("seconds", "elapsed", "duration")


def names_in(tree: ast.AST) -> set[str]:
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return names | {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and type(node.value) is str}


def is_span(tree: ast.AST) -> bool:
    return any(name.endswith(SPANS) for name in names_in(tree))


def bounds_a_span(compared: ast.Compare) -> bool:
    """Whether a comparison says that something took less than so long."""
    sides = [compared.left, *compared.comparators]
    for left, operator, right in zip(sides, compared.ops, sides[1:], strict=False):
        low = left if isinstance(operator, ast.Lt | ast.LtE) else right
        if isinstance(operator, ast.Lt | ast.LtE | ast.Gt | ast.GtE) and is_span(low):
            return True
    return False


def asserts_time(text: str) -> list[int]:
    """Return the lines of a test file that read a clock, bound a span, or set a deadline."""
    lines = []
    for node in ast.walk(ast.parse(text)):
        reads_clock = isinstance(node, ast.Attribute | ast.Name) and names_in(node) & CLOCKS
        deadline = isinstance(node, ast.keyword) and node.arg == "deadline" and ast.unparse(node.value) != "None"
        bounded = isinstance(node, ast.Assert) and any(
            bounds_a_span(part) for part in ast.walk(node.test) if isinstance(part, ast.Compare)
        )
        if reads_clock or deadline or bounded:
            lines.append(node.value.lineno if isinstance(node, ast.keyword) else node.lineno)
    return lines


@pytest.mark.parametrize("file", sorted(TESTS.rglob("*.py")), ids=lambda file: file.relative_to(TESTS).as_posix())
def test_no_test_asserts_on_elapsed_time(file):
    assert asserts_time(file.read_text()) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("assert time.perf_counter() - began < 2", True),
        ("took = monotonic() - began", True),
        ("assert 0 < record.seconds < 60", True),
        ("assert 60 >= told['seconds']", True),
        ("@settings(deadline=timedelta(seconds=5))\ndef test(): ...", True),
        ("assert record.seconds > 0", False),
        ("@settings(deadline=None)\ndef test(): ...", False),
        ("assert record.rows < 60", False),
        ("subprocess.run(command, timeout=600)", False),
    ],
)
def test_what_counts_as_a_claim_about_time(line, found):
    assert bool(asserts_time(line)) is found


def test_no_property_has_a_deadline():
    assert settings.default.deadline is None
