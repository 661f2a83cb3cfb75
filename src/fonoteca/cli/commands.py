"""Importing this module makes every command join the application."""

from fonoteca.cli import (
    acquire,
    audit,
    catalogue,
    coverage,
    demo,
    diff,
    export,
    follow,
    init,
    match,
    plan,
    publish,
    rights,
    search,
    serve,
)

__all__ = [
    "acquire",
    "audit",
    "catalogue",
    "coverage",
    "demo",
    "diff",
    "export",
    "follow",
    "init",
    "match",
    "plan",
    "publish",
    "rights",
    "search",
    "serve",
]
