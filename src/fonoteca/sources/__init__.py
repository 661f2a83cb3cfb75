"""Where music may lawfully be had: candidates with evidence of rights.

A kind of source is one module in `fonoteca.sources.kinds` that has a `SOURCE`; nothing else need be touched to add one. An
installed package adds one by an entry point.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from fonoteca.model.errors import UsageError
from fonoteca.sources import kinds
from fonoteca.sources.offering import Finder, Found, Held, Remote, Restating, Source, SourceContext

__all__ = ["SOURCES", "Finder", "Found", "Held", "Remote", "Restating", "Source", "SourceContext"]


ENTRY_POINTS = "fonoteca.sources"
"""The group under which an installed package names its kinds: `NAME = "package.module:SOURCE"`."""


def _found() -> dict[str, Source]:
    names = sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))
    found: list[Source] = [import_module(f"{kinds.__name__}.{name}").SOURCE for name in names]
    found += [_loaded(entry) for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda each: each.name)]
    known: dict[str, Source] = {}
    for source in found:
        known.setdefault(source.kind, source)  # no package takes the place of a kind that is ours
    return known


def _loaded(entry: EntryPoint) -> Source:
    """Return the kind that an installed package adds. Raises: UsageError naming the package, whatever it fails with."""
    package = entry.dist.name if entry.dist else "an installed package"
    try:
        found: Source = entry.load()
    except Exception as error:
        problem = f"its kind of source {entry.name!r} cannot be loaded: {type(error).__name__}: {error}"
        raise UsageError(package, problem, "Mend the package, or uninstall it.") from error
    return found


SOURCES: Mapping[str, Source] = MappingProxyType(_found())
"""Every kind of source by its name on the command line."""
