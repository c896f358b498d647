"""Errors of raw data that say which source they stop, those too that a file raises which knows no source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tenure.define.source import Source
from tenure.errors import InputError


@contextmanager
def named_in_errors(source: Source) -> Iterator[None]:
    """Put a source's name before the message of an InputError that does not have it."""
    try:
        yield
    except InputError as error:
        if f"'{source.name}'" not in error.message:
            error.message = f"source '{source.name}': {error.message}"
            error.args = (error.message,)
        raise


def columns_in_words(names: Sequence[str]) -> str:
    """Return columns as messages name them: "column 'id'"."""
    return f"column{'' if len(names) == 1 else 's'} {listed_names(names)}"


def listed_names(names: Sequence[str]) -> str:
    """Return names in quotes, one after the other."""
    return ", ".join(f"'{name}'" for name in names)
