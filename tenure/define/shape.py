"""Shapes: what each field of a definition may hold, and the refusal of what it may not; registers by class.

A definition is Python that a person wrote: `features="amount"` or `how=None` is a mistake to be named with its line,
never a traceback from deep inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Generic, Never, NoReturn, TypeVar

from tenure.define.naming import aside, definition_place
from tenure.errors import InvalidDefinition, choices

T = TypeVar("T")

#: How much of a wrong value a message shows.
_MOST_SHOWN = 60

_PLAIN = (str, bytes, int, float, Decimal, date, timedelta, type(None))


@dataclass(frozen=True)
class Allowed:
    """What a field may hold, in words, and the test of it."""

    words: str
    test: Callable[[object], bool]


def instance_of(words: str, *kinds: type) -> Allowed:
    """Allow values of just these classes: a subclass could have fields that nothing reads."""
    return Allowed(words, lambda value: type(value) in kinds)


def list_of(item: Allowed, words: str = "", *, least: int = 0) -> Allowed:
    """Allow a list or tuple (a text is neither) of `least` items or more, each of which `item` allows."""

    def test(value: object) -> bool:
        return isinstance(value, list | tuple) and len(value) >= least and all(map(item.test, value))

    return Allowed(words or f"a list of {item.words}", test)


def either(words: str, *choices_: Allowed) -> Allowed:
    """Allow what any of `choices_` allows."""
    return Allowed(words, lambda value: any(choice.test(value) for choice in choices_))


def whole(least: int, most: int, words: str = "a whole number") -> Allowed:
    """Allow a whole number from `least` to `most`; True and False are not numbers."""

    def test(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most

    return Allowed(f"{words}, {least} to {most}", test)


def one_of(names: Iterable[str]) -> Allowed:
    """Allow one of some texts."""
    listed = tuple(names)
    return Allowed(", ".join(listed), lambda value: isinstance(value, str) and value in listed)


def days_between(first: date, last: date) -> Allowed:
    """Allow a date from `first` to `last`; a datetime is refused."""

    def test(value: object) -> bool:
        return isinstance(value, date) and not isinstance(value, datetime) and first <= value <= last

    return Allowed(f"a date from {first} to {last}", test)


def share(words: str, *, least_is_allowed: bool) -> Allowed:
    """Allow a number below 1, and above 0 or from 0 on."""

    def test(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return 0 <= value < 1 if least_is_allowed else 0 < value < 1

    return Allowed(words, test)


TEXT = Allowed("text", lambda value: isinstance(value, str))
NAME = Allowed("text that is not empty", lambda value: isinstance(value, str) and bool(value.strip()))
FLAG = Allowed("True or False", lambda value: isinstance(value, bool))
DAY = Allowed("a date", lambda value: isinstance(value, date) and not isinstance(value, datetime))


def is_whole(value: object) -> bool:
    """Return whether a value is a whole number; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_shape(subject: str, definition: object, /, **fields: Allowed) -> None:
    """Raise InvalidDefinition, with its line, for the first of a definition's fields that holds what it may not."""
    for name, allowed in fields.items():
        value = getattr(definition, name)
        if not allowed.test(value):
            raise InvalidDefinition(f"{subject} has {name}={shown(value)}{in_place()}; allowed: {allowed.words}.")


def named(kind: str, name: object) -> str:
    """Return a definition's kind and name, as messages write them: source 'accounts'."""
    return f"{kind} '{name}'" if isinstance(name, str) else f"{kind} {shown(name)}"


def shown(value: object) -> str:
    """Return a value as a message shows it: a plain one as Python writes it, any other by its class; never long."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, list | tuple):
        opening, closing = "[]" if isinstance(value, list) else "()"
        text = f"{opening}{', '.join(map(shown, value))}{closing}"
    else:
        text = repr(value) if isinstance(value, _PLAIN) else f"{type(value).__name__}(…)"
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def in_place() -> str:
    """Return ' (file.py:line)' of the current definition, '' outside a project."""
    return aside(definition_place())


def class_names(kinds: Iterable[type]) -> tuple[str, ...]:
    """Return the names of classes, as Python writes them."""
    return tuple(kind.__name__ for kind in kinds)


def calls(kinds: Iterable[type]) -> tuple[str, ...]:
    """Return how instances of the classes are written: Csv(…), Parquet(…)."""
    return tuple(f"{name}(…)" for name in class_names(kinds))


class ByKind(Generic[T]):
    """A register by class: one entry for each class of a kind of definition; an unregistered class is refused by name.

    A class is matched exactly: a subclass is another kind, whose own fields nothing would read.
    """

    def __init__(self, kind: str, table: Mapping[type, T] | None = None) -> None:
        self._kind, self._table = kind, dict(table or {})

    @property
    def kinds(self) -> frozenset[type]:
        """The registered classes."""
        return frozenset(self._table)

    def register(self, kind: type) -> Callable[[T], T]:
        """Return the decorator that registers the function or class below it as the entry of `kind`."""

        def registered(thing: T) -> T:
            self._table[kind] = thing
            return thing

        return registered

    def require(self, kinds: Iterable[type], *, place: str) -> None:
        """Raise InvalidDefinition, naming the class and where it has to be registered, if one of `kinds` is missing."""
        for kind in kinds:
            if kind not in self._table:
                raise InvalidDefinition(
                    f"the {self._kind} '{kind.__name__}' is not registered in {place}; registered: "
                    f"{choices(class_names(self._table))}.",
                    hint=f"Register it in {place}, as CONTRIBUTING.md says.",
                )

    def of(self, thing: object) -> T:
        """Return the entry of the class of `thing`; raise InvalidDefinition if that class is not registered."""
        if type(thing) not in self._table:
            raise unknown_kind(self._kind, thing, self._table)
        return self._table[type(thing)]


def unknown_kind(kind: str, thing: object, known: Iterable[type] = ()) -> InvalidDefinition:
    """Return the error for a thing whose class Tenure does not know; its message lists the `known` classes."""
    listed = choices(class_names(known))
    return InvalidDefinition(
        f"'{type(thing).__name__}' is no {kind} that Tenure knows" + (f"; known: {listed}." if listed else "."),
        hint="Use one of those that docs/definitions.md lists.",
    )


def refuse(kind: str, thing: Never) -> NoReturn:
    """Refuse what falls through a ladder over all classes of a kind; the type checker proves that nothing does."""
    raise unknown_kind(kind, thing)
