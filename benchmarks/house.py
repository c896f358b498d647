"""The house in figures: how large each room is and how dense its lines are, with the goals that are met and not met.

    python benchmarks/house.py [--tree CHECKOUT]

Counted over the Python files of tenure/, from their syntax trees. Code lines are lines without blanks, comments and
docstrings. Rates are per 1,000 code lines:

f-strings    f"…", and what stands for one: "…".format(…), "…" % x, "…" + x, "".join(["…", x])
compreh.     comprehensions and generator expressions
isinstance   all of them, and those outside the rooms that are handed foreign values (`ISINSTANCE_HOMES`)
dialect ==   questions of which dialect it is outside the rooms that know dialects (`DIALECT_HOMES`): ==, !=, in, match
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

DIALECTS = ("duckdb", "spark")

#: Rooms that may ask which dialect it is: they spell it, run it, or recompute what it means. The last one is
#: proofs/oracle by its name at b9c3916.
DIALECT_HOMES = ("sql", "engines", "proofs/oracle", "quality")

#: Rooms where foreign values come in: a bank's Python, a parsed tree of SQL, an error that a library raised.
ISINSTANCE_HOMES = ("define", "sql", "proofs/oracle", "faults", "quality")

#: Measured by this script at commit b9c3916: f-strings and comprehensions per 1,000 code lines of the whole house.
AT_B9C3916 = 138.5

LONG_FUNCTION = 60
MOST_OF_A_ROOM = 0.12
MOST_IN_TABLES = 80
_FORMATS = ("format", "format_map")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_NO_CODE = (
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
    tokenize.ENDMARKER,
)  # fmt: skip


@dataclass
class Counts:
    """What is counted of a module, a room or the house."""

    modules: int = 0
    lines: int = 0
    code: int = 0
    fstrings: int = 0
    comprehensions: int = 0
    isinstances: int = 0
    isinstances_outside: int = 0
    dialects_outside: int = 0
    long_functions: list[str] = field(default_factory=list)

    def add(self, other: Counts) -> None:
        """Add what was counted elsewhere."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def dense(self) -> int:
        """F-strings and comprehensions."""
        return self.fstrings + self.comprehensions

    def rate(self, number: int) -> float:
        """Return a number per 1,000 code lines."""
        return 1_000 * number / self.code if self.code else 0.0


@dataclass(frozen=True)
class House:
    """Rooms by name, the whole, and the groups of modules that import each other in a circle."""

    rooms: Mapping[str, Counts]
    whole: Counts
    cycles: tuple[tuple[str, ...], ...]

    def share(self, room: str) -> float:
        """Return a room's part of all lines, of one."""
        return self.rooms[room].lines / self.whole.lines

    @property
    def largest(self) -> str:
        """The room with the most lines."""
        return max(self.rooms, key=lambda room: self.rooms[room].lines)


def main() -> None:
    """Measure, print the rooms, then the goals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, default=Path(__file__).resolve().parents[1], help="a checkout of Tenure")
    package = parser.parse_args().tree / "tenure"
    if not package.is_dir():
        sys.exit(f"'{package}' is no folder; --tree is a checkout of Tenure.")
    house = measure_house(package)
    _print_rooms(house)
    _print_findings(house)
    _print_goals(house)


def measure_house(package: Path) -> House:
    """Return the figures of a package's folder; a module at its top is a room of its own."""
    rooms: dict[str, Counts] = defaultdict(Counts)
    whole = Counts()
    sources = {file.relative_to(package).as_posix(): file.read_text("utf-8") for file in sorted(package.rglob("*.py"))}
    for path, source in sources.items():
        counts = measure(source, path)
        room, below, _ = path.partition("/")
        rooms[room if below else room.removesuffix(".py")].add(counts)
        whole.add(counts)
    return House(rooms, whole, tuple(cycles(imports_of(package.name, sources))))


# One module


def measure(source: str, path: str) -> Counts:
    """Return the counts of a module's text; its path below the package says whether it is at home."""
    tree = ast.parse(source)
    docstrings = {line for node in ast.walk(tree) for line in _docstring(node)}
    counts = Counts(modules=1, lines=len(source.splitlines()))
    counts.code = len(_code_lines(source) - docstrings)
    for node in _without_inner_parts(tree):
        counts.fstrings += _is_fstring(node)
        counts.comprehensions += isinstance(node, _COMPREHENSIONS)
        counts.isinstances += _is_isinstance(node)
        counts.dialects_outside += _asks_dialect(node) and not _is_in(path, DIALECT_HOMES)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1 - len(_docstring(node))
            if lines > LONG_FUNCTION:
                counts.long_functions.append(f"{path}:{node.lineno} {node.name} ({lines} lines)")
    counts.isinstances_outside = 0 if _is_in(path, ISINSTANCE_HOMES) else counts.isinstances
    return counts


def _is_in(path: str, homes: Iterable[str]) -> bool:
    return any(path.startswith(f"{home}/") or path == f"{home}.py" for home in homes)


def _code_lines(source: str) -> set[int]:
    """The numbers of the lines that hold code; of a text over many lines, those that are not blank."""
    blank = {number for number, line in enumerate(source.splitlines(), 1) if not line.strip()}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - blank


def _docstring(node: ast.AST) -> range:
    """The lines of a module's, class's or function's docstring."""
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        text = node.body[0]
        return range(text.lineno, text.end_lineno + 1)
    return range(0)


def _without_inner_parts(tree: ast.Module) -> Iterator[ast.AST]:
    """Every node but those that belong to one already counted: links of a chain of +, and formats within f-strings."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.FormattedValue):
            # Its format, as in f"{x:{width}}", is an f-string to Python alone.
            waiting.append(node.value)
        elif _is_sum(node):
            waiting += _links(node)
        else:
            waiting += ast.iter_child_nodes(node)


def _is_fstring(node: ast.AST) -> bool:
    """Whether a node puts values into text."""
    if isinstance(node, ast.JoinedStr):
        return True
    if _is_sum(node):
        links = _links(node)
        return any(map(_is_text, links)) and not all(isinstance(link, ast.Constant | ast.JoinedStr) for link in links)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _is_text(node.left)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in _FORMATS or _joins_literals(node.func, node.args)
    return False


def _joins_literals(function: ast.Attribute, arguments: list[ast.expr]) -> bool:
    """Whether a call is "".join([…]) with a text among the members that are written there."""
    if function.attr != "join" or not _is_text(function.value) or not arguments:
        return False
    joined = arguments[0]
    return isinstance(joined, ast.List | ast.Tuple | ast.Set) and any(map(_is_text, joined.elts))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_sum(node: ast.AST) -> bool:
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)


def _links(node: ast.expr) -> list[ast.expr]:
    """The links of a chain: of a + b + c, these three."""
    return [*_links(node.left), *_links(node.right)] if _is_sum(node) else [node]


def _is_isinstance(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"


def _asks_dialect(node: ast.AST) -> bool:
    """Whether a node compares with a named dialect; whether two dialects are the same is no such question."""
    if isinstance(node, ast.Match):
        return _is_dialect(node.subject)
    if not isinstance(node, ast.Compare):
        return False
    sides = [node.left, *node.comparators]
    known = [_is_dialect(side) for side in sides]
    return any(map(_is_dialect_value, sides)) or (any(known) and not all(known))


def _is_dialect(node: ast.expr) -> bool:
    return (isinstance(node, ast.Name) and node.id == "dialect") or (
        isinstance(node, ast.Attribute) and node.attr == "dialect"
    )


def _is_dialect_value(node: ast.expr) -> bool:
    """Whether a node is a dialect's name, such as 'spark', a member of the type, or a collection of them alone."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        # Lists of libraries may name duckdb too.
        return bool(node.elts) and all(map(_is_dialect_value, node.elts))
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id == "Dialect"
    return isinstance(node, ast.Constant) and node.value in DIALECTS


# The whole package


def imports_of(package: str, sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Return each module's name with the modules of the package that it imports, within functions too."""
    modules = {_module_name(package, path): source for path, source in sources.items()}
    imports: dict[str, set[str]] = {}
    for module, source in modules.items():
        named = {name for node in ast.walk(ast.parse(source)) for name in _imported(node)}
        imports[module] = {name if name in modules else name.rpartition(".")[0] for name in named}
        imports[module] = (imports[module] & modules.keys()) - {module}
    return imports


def _module_name(package: str, path: str) -> str:
    parts = [package, *path.removesuffix(".py").split("/")]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def cycles(imports: Mapping[str, set[str]]) -> Iterator[tuple[str, ...]]:
    """Yield each group of modules that reach each other, sorted."""
    reached = {module: _reached(module, imports) for module in imports}
    told: set[str] = set()
    for module in sorted(imports):
        if module in reached[module] and module not in told:
            circle = tuple(sorted(other for other in reached[module] if module in reached[other]))
            told.update(circle)
            yield circle


def _reached(start: str, imports: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = imports[waiting.pop()] - found
        found |= new
        waiting += new
    return found


# What is printed


def _print_rooms(house: House) -> None:
    head = ("room", "modules", "lines", "share", "f-strings", "compreh.", "both", "isinstance", "outside", "dialect ==")
    print(f"{head[0]:<16}" + "".join(f"{name:>11}" for name in head[1:]))
    by_size = sorted(house.rooms, key=lambda room: -house.rooms[room].lines)
    for room in by_size:
        _print_row(room, house.rooms[room], house.share(room))
    _print_row("in all", house.whole, 1.0)


def _print_row(name: str, counts: Counts, share: float) -> None:
    each = (counts.fstrings, counts.comprehensions, counts.dense, counts.isinstances, counts.isinstances_outside)
    rates = "".join(f"{counts.rate(number):>11.1f}" for number in each)
    print(f"{name:<16}{counts.modules:>11,}{counts.lines:>11,}{share:>11.1%}{rates}{counts.dialects_outside:>11}")


def _print_findings(house: House) -> None:
    print(f"\ncode lines (no blanks, comments, docstrings): {house.whole.code:,}")
    print(f"largest room: {house.largest}, {house.share(house.largest):.1%} of the lines")
    print(f"functions over {LONG_FUNCTION} lines: {len(house.whole.long_functions)}")
    for function in house.whole.long_functions:
        print(f"    {function}")
    print(f"import cycles: {len(house.cycles)}")
    for circle in house.cycles:
        print(f"    {', '.join(circle)}")


def _print_goals(house: House) -> None:
    print("\ngoals")
    for goal, value, is_met in goals(house):
        print(f"    {'met    ' if is_met else 'not met'}  {goal}: {value}")


def goals(house: House) -> Iterator[tuple[str, str, bool]]:
    """Yield each goal, what it is now, and whether it is met."""
    dense, half = house.whole.rate(house.whole.dense), AT_B9C3916 / 2
    yield (
        f"f-strings and comprehensions at most {half:.1f}, half of b9c3916's {AT_B9C3916}",
        f"{dense:.1f}",
        dense <= half,
    )
    tables = Counts()
    for room in {"tables", "tiles"} & house.rooms.keys():
        tables.add(house.rooms[room])
    in_tables = tables.rate(tables.dense)
    yield f"those in tables and tiles under {MOST_IN_TABLES}", f"{in_tables:.1f}", in_tables < MOST_IN_TABLES
    outside = house.whole.dialects_outside
    yield "no dialect == outside its homes", str(outside), outside == 0
    share = house.share(house.largest)
    yield f"no room over {MOST_OF_A_ROOM:.0%} of the lines", f"{house.largest} {share:.1%}", share <= MOST_OF_A_ROOM
    long = len(house.whole.long_functions)
    yield f"no function over {LONG_FUNCTION} lines", str(long), long == 0
    yield "no import cycle", str(len(house.cycles)), not house.cycles


if __name__ == "__main__":
    main()
