"""Definitions: what the bank's own files define; `of` returns the project of one entity and one churn definition."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from tenure.define.check import Check
from tenure.define.churn import ChurnDefinition
from tenure.define.feature import FeatureService, FeatureView
from tenure.define.flat import FlatTable, only_flat
from tenure.define.project import Entity, Project, validate
from tenure.define.reconciliation import Reconciliation
from tenure.define.source import Source
from tenure.errors import InvalidDefinition, MissingFile, TenureError, choices
from tenure.host.text_files import encoding_of, read_text

#: Every class of definition that a bank's file may hold at its top level.
Named = TypeVar("Named", Entity, Source, FeatureView, ChurnDefinition, FeatureService, Reconciliation, Check, FlatTable)


@dataclass(frozen=True)
class Definitions:
    """Everything that the bank's files define, by name, before an entity and a churn definition are chosen."""

    name: str
    entities: dict[str, Entity]
    sources: dict[str, Source]
    views: dict[str, FeatureView]
    churns: dict[str, ChurnDefinition]
    services: dict[str, FeatureService]
    reconciliations: dict[str, Reconciliation] = field(default_factory=dict)
    checks: dict[str, Check] = field(default_factory=dict)
    flat: dict[str, FlatTable] = field(default_factory=dict)

    def of(self, entity: str = "", churn: str = "") -> Project:
        """Return the validated project of one entity and one churn definition: those named, else the only ones, of
        several churn definitions the main one.

        They are chosen only here: every room reads `project.entity` of the project that it is given. Raises
        InvalidDefinition if the one named does not exist, or none is named and it can't be told which is meant;
        UnknownSource or UnknownColumn if the definitions don't fit each other.
        """
        if self.flat:
            return only_flat(self.flat, self._dated()).project(self.name, self.checks)
        main = self._main(churn)
        project = Project(
            name=self.name,
            entity=_chosen(self.entities, entity, Entity, "sources.py"),
            sources=self.sources,
            views=self.views,
            churn=main,
            services=self.services,
            reconciliations=self.reconciliations,
            checks=self.checks,
            other_churns={name: one for name, one in self.churns.items() if one is not main},
        )
        validate(project)
        return project

    def _dated(self) -> Iterator[tuple[str, object]]:
        """Every definition that needs dates, with its kind."""
        for kind, found in (
            ("entity", self.entities),
            ("source", self.sources),
            ("feature view", self.views),
            ("feature service", self.services),
            ("churn definition", self.churns),
            ("reconciliation", self.reconciliations),
        ):
            yield from ((kind, one) for one in found.values())

    def _main(self, name: str) -> ChurnDefinition:
        """The one churn definition, or of several the one that says so."""
        mains = {name: one for name, one in self.churns.items() if one.main}
        if name or len(self.churns) < 2:
            return _chosen(self.churns, name, ChurnDefinition, "churn.py")
        if len(mains) != 1:
            raise InvalidDefinition(
                f"churn.py defines {len(self.churns)} ChurnDefinitions ({choices(self.churns)}), and {len(mains)} of "
                "them with main=True.",
                hint="Give main=True to the one that models learn; labels of the others: tenure labels --churn NAME.",
            )
        return next(iter(mains.values()))


def load_project(folder: Path, name: str) -> Project:
    """Return the project of the one entity and the one churn definition that stand in `folder`.

    Raises what `load_definitions` and `Definitions.of` raise.
    """
    return load_definitions(folder, name).of()


def load_definitions(folder: Path, name: str) -> Definitions:
    """Return what sources.py, churn.py, features/*.py and, if there is one, checks.py in `folder` define.

    Every Entity, Source, FeatureView, FeatureService, ChurnDefinition, Reconciliation, Check and FlatTable at their top
    level counts; beside a FlatTable neither churn.py nor features/ has to be there.
    Raises MissingFile if a file is not there, InvalidDefinition if a file can't be run, a definition can't stand or
    two of a kind have one name.
    """
    sources, churn = folder / "sources.py", folder / "churn.py"
    _require_file(sources)
    modules = [_run_file(sources)]
    feature_files = sorted((folder / "features").glob("*.py"))
    if not _by_name(modules, FlatTable):
        _require_file(churn)
        if not feature_files:
            raise MissingFile(f"Project '{folder}' has no features/*.py.", hint="Write a FeatureView into features/.")
    modules += map(_run_file, [file for file in (churn, *feature_files, folder / "checks.py") if file.is_file()])
    return Definitions(
        name=name,
        entities=_by_name(modules, Entity),
        sources=_by_name(modules, Source),
        views=_by_name(modules, FeatureView),
        churns=_by_name(modules, ChurnDefinition),
        services=_by_name(modules, FeatureService),
        reconciliations=_by_name(modules, Reconciliation),
        checks=_by_name(modules, Check),
        flat=_by_name(modules, FlatTable),
    )


def _require_file(file: Path) -> None:
    if not file.is_file():
        raise MissingFile(
            f"'{file.parent}' is not a Tenure project: it has no {file.name}.",
            hint="Run 'tenure init DIR' to write one, or give its folder with --project DIR.",
        )


def _chosen(named: dict[str, Named], name: str, kind: type[Named], file: str) -> Named:
    if name:
        if name not in named:
            raise InvalidDefinition(f"{file} defines no {kind.__name__} named '{name}'; it defines: {choices(named)}.")
        return named[name]
    if len(named) != 1:
        raise InvalidDefinition(f"{file} must define exactly one {kind.__name__}; found {len(named)}.")
    return next(iter(named.values()))


class _Definitions(SourceFileLoader):
    """A loader of definition files in the encoding of their byte order mark; Python's own loader reads UTF-8 only."""

    def get_data(self, path: str) -> bytes:
        content = super().get_data(path)
        if encoding_of(content[:4]).startswith("utf-8"):
            return content  # a line such as '# coding: latin-1' keeps its meaning
        return read_text(Path(path), refused=InvalidDefinition).encode()


def _run_file(file: Path) -> ModuleType:
    name = f"tenure_project_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file, loader=_Definitions(name, str(file)))
    if spec is None or spec.loader is None:
        raise InvalidDefinition(f"'{file}' can't be loaded as Python.")
    module = importlib.util.module_from_spec(spec)
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    except TenureError:
        raise
    except SyntaxError as error:
        raise InvalidDefinition(f"{file}:{error.lineno}: {error.msg}: {(error.text or '').strip()}") from error
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(file)]
        raise InvalidDefinition(f"{file}:{lines[-1] if lines else 1}: {type(error).__name__}: {error}") from error
    finally:
        sys.dont_write_bytecode = bytecode
    return module


def _by_name(modules: Sequence[ModuleType], kind: type[Named]) -> dict[str, Named]:
    """The definitions of a kind in all modules; two that share a name are refused."""
    found: dict[str, Named] = {}
    for module in modules:
        for value in vars(module).values():
            # A definition that one file imports from another is one definition.
            if not isinstance(value, kind) or value is found.get(value.name):
                continue
            if value.name in found:
                raise InvalidDefinition(f"two {kind.__name__}s are named '{value.name}'; names must be unique.")
            found[value.name] = value
    return found
