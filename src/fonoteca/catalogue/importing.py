"""Every kind of import by its name: a module of `kinds` that has a `KIND`; nothing else need be touched to add one."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from fonoteca.catalogue import kinds
from fonoteca.catalogue.desk import Kind


def _found() -> dict[str, Kind]:
    names = sorted(module.name for module in pkgutil.iter_modules(kinds.__path__))
    found: list[Kind] = [import_module(f"{kinds.__name__}.{name}").KIND for name in names]
    return {kind.name: kind for kind in found}


KINDS: Mapping[str, Kind] = MappingProxyType(_found())
