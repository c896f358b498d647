"""Private words that gave way to the field's do not come back into the rooms that are rid of them."""

import ast
import re
from pathlib import Path

import pytest

TENURE = Path(__file__).resolve().parents[1] / "tenure"

#: The files in which the SQL of features is made, but for the point-in-time features, a printed comment of which says
#: that shares "are told".
FEATURES = tuple(
    f"tiles/{file.name}" for file in sorted((TENURE / "tiles").glob("*.py")) if file.name != "point_in_time.py"
)

#: The feature store, but for the entity rows, one of whose messages says that something "can't be told".
FEATURE_STORE = (
    "feature_store/routes",
    *(f"feature_store/{name}.py" for name in ("plan", "build", "manifest", "historical", "store")),
)

#: For each private word, the field's, and the rooms and files that are rid of it.
DRIVEN_OUT = {
    "told": (
        "summary or message",
        (
            *(
                "leaks",
                "publish",
                "checks",
                "catalog",
                "cli",
                "session",
                "faults",
                "insight",
                "config.py",
                "proofs",
                "stages",
                "model",
                "demo",
                "arrays",
            ),
            *FEATURES,
            *FEATURE_STORE,
        ),
    ),
    "made_of": ("digest, ingredients or upstream", (".",)),
    "sign|signs": ("finding", ("leaks", "catalog", "cli/proving.py", "cli/records.py")),
    "look_alike|look-alike|lookalike": ("target proxy", ("leaks", "catalog", "cli", "publish")),
    "mend": ("fix", (".",)),
    "lend|take_back": ("register, unregister", (".",)),
    "goes before|go before": ("override", (".",)),
    "rows asked for": ("entity rows", (".",)),
    "_?ways|_holds": ("origins, lineage; contains", ("session", "catalog")),
    "parted by": ("separated by", ("leaks", "publish", "checks", "catalog", "cli")),
}


def words_of(file: Path) -> str:
    """Return the identifiers and texts of a module, a line each; comments are left out."""
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        for field in ("id", "arg", "attr", "name", "value"):
            text = getattr(node, field, None)
            if isinstance(text, str):
                found.append(text)
    return "\n".join(found)


def modules(places: tuple[str, ...]) -> list[Path]:
    found = [[TENURE / place] if place.endswith(".py") else sorted((TENURE / place).rglob("*.py")) for place in places]
    assert all(found), "every room is there"
    return [file for files in found for file in files]


@pytest.mark.parametrize("word", DRIVEN_OUT)
def test_a_private_word_stays_driven_out(word):
    instead, places = DRIVEN_OUT[word]
    private = re.compile(rf"(?<![A-Za-z])(?:{word})(?![A-Za-z])", re.IGNORECASE)
    back = [str(file.relative_to(TENURE)) for file in modules(places) if private.search(words_of(file))]
    assert back == [], f"say {instead}, not {word}"


def test_a_private_word_is_found_in_names_and_texts(tmp_path):
    file = tmp_path / "module.py"
    file.write_text('told_by = 1\n\n\ndef f(made_of: str) -> str:\n    """Mend it."""\n    return made_of\n')
    assert {"told_by", "made_of", "Mend it."} <= set(words_of(file).splitlines())
