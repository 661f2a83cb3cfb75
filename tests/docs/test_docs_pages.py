"""What documents say of the code is so, and their links lead somewhere."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from docs_console import REPOSITORY

from fonoteca.formats import settings

DOCS = REPOSITORY / "docs"
SOURCE = REPOSITORY / "src" / "fonoteca"
DECISIONS = DOCS / "decisions"
PAGES = sorted([*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md"), *SOURCE.rglob("*.md")])
PICTURE_BYTES_MAX = 250_000

_MODULES = {
    "python-multipart": "python_multipart",
    "prometheus-client": "prometheus_client",
    "python-debian": "debian",
    "vl-convert-python": "vl_convert",
}
"""Packages whose modules have another name than they."""
_LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_docs", REPOSITORY / "tools" / "make_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_page_of_commands_says_what_the_command_line_says(maker: ModuleType) -> None:
    assert (DOCS / "commands.md").read_text(encoding="utf-8") == maker.commands_page(), "run tools/make_docs.py again"


def test_page_of_errors_says_what_the_tree_says(maker: ModuleType) -> None:
    assert (DOCS / "errors.md").read_text(encoding="utf-8") == maker.errors_page(), "run tools/make_docs.py again"


def test_the_description_of_the_api_is_what_the_site_says(maker: ModuleType) -> None:
    assert (DOCS / "openapi.json").read_text(encoding="utf-8") == maker.api_document(), "run tools/make_docs.py again"


def test_readme_names_every_command(maker: ModuleType) -> None:
    table = (REPOSITORY / "README.md").read_text(encoding="utf-8").partition("## Commands")[2].partition("\n## ")[0]
    for group in maker.GROUPS.values():
        for command in group:
            assert all(f"`{word}`" in table or f"`{command}`" in table for word in command.split()[-1:]), command


def test_readme_opens_as_the_house_rule_says() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    title, said, picture = text.split("\n\n")[:3]
    assert title == "# Fonoteca"
    assert len(re.findall(r"\.(?:\s|$)", said)) == 3, "three sentences"
    assert picture.startswith("![")
    parts = ["make demo", "make test", "## What it does that nothing else does", "## From one machine to many"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(_CODE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{page.name}: {target}"
        assert found.is_relative_to(REPOSITORY), f"{page.name}: {target} leads out of the repository"
        if anchor:
            assert anchor in anchors(found), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPOSITORY)))
def test_nothing_is_left_open(page: Path) -> None:
    assert not re.search(r"\b(TODO|FIXME|XXX|TBD)\b|@@|lorem ipsum", page.read_text(encoding="utf-8"), re.IGNORECASE)


def test_every_page_is_found_from_an_index() -> None:
    for index, pages in ((DOCS / "README.md", DOCS.glob("*.md")), (DECISIONS / "README.md", DECISIONS.glob("*.md"))):
        listed = {(index.parent / target).resolve() for target in _LINK.findall(index.read_text(encoding="utf-8"))}
        missing = sorted(page.name for page in pages if page != index and page not in listed)
        assert not missing, f"{index.relative_to(REPOSITORY)} does not list {missing}"


def test_pictures_are_small_and_shown() -> None:
    pictures = list(DOCS.rglob("*.png"))
    shown = {(page.parent / target).resolve() for page in PAGES for target in _LINK.findall(page.read_text(encoding="utf-8"))}
    assert pictures
    assert set(pictures) <= shown
    for picture in pictures:
        content = picture.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) <= PICTURE_BYTES_MAX, picture.name


def test_every_library_has_its_decision() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z0-9, -]+) \|.*\|(.*)\|$", index, re.MULTILINE)
    pages = {name: _LINK.findall(links) for names, links in rows for name in names.split(", ")}
    for name in dependencies():
        word = name.removesuffix("-python")
        texts = [(DECISIONS / target).read_text(encoding="utf-8").lower() for target in pages.get(name, ())]
        assert any(word in text for text in texts), f"docs/decisions/README.md lists no page that speaks of {name}"


def test_libraries_are_used_where_the_decisions_say() -> None:
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z0-9-]+) \| [^|]+ \| ([^|]+) \| \[", index, re.MULTILINE)
    said = {name: set(re.findall(r"`(\w+)`", rooms)) for name, rooms in rows}
    found: dict[str, set[str]] = {name: set() for name in said}
    for room, module in imports():
        for name in said:
            if module == _MODULES.get(name, name):
                found[name].add(room)
    assert found == said


def test_every_format_is_described() -> None:
    described = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("formats.md", "catalogue.md"))
    formats = {name for path in SOURCE.rglob("*.py") for name in re.findall(r'"(fonoteca-[a-z-]+/\d+)"', path.read_text())}
    assert formats
    assert sorted(name for name in formats if name not in described) == []


def test_every_setting_is_described() -> None:
    described = (DOCS / "settings.md").read_text(encoding="utf-8")
    for table, keys in settings._TABLES.items():
        for key in keys:
            assert f"`{table}.{key}`" in described, f"{table}.{key}"


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings make, as the common hosts of Markdown make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dependencies() -> Iterator[str]:
    """Yield the name of every package that pyproject.toml asks for, and of uv, which reads it."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    groups = [project["project"]["dependencies"], *project["dependency-groups"].values()]
    yield from (re.match(r"[\w-]+", each)[0] for group in groups for each in group if isinstance(each, str))  # type: ignore[index]
    yield "uv"


def imports() -> Iterator[tuple[str, str]]:
    """Yield each room with each package that a module of it imports."""
    for path in SOURCE.rglob("*.py"):
        room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((room, alias.name.partition(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield room, node.module.partition(".")[0]
