"""Where music may lawfully be had: candidates with evidence of rights.

A kind of source is one module in `fonoteca.sources.kinds` that has a `SOURCE`; nothing else need be touched to add one.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from fonoteca.sources import kinds
from fonoteca.sources.offering import Source, SourceContext

__all__ = ["SOURCES", "Source", "SourceContext"]


def _found() -> dict[str, Source]:
    names = sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))
    found: list[Source] = [import_module(f"{kinds.__name__}.{name}").SOURCE for name in names]
    return {source.kind: source for source in found}


SOURCES: Mapping[str, Source] = MappingProxyType(_found())
"""Every kind of source by its name on the command line."""
