"""The rules of style that a machine can hold."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src" / "fonoteca").rglob("*.py"))
MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 5
_VAGUE = re.compile(r"(^|_)(utils?|helpers?|managers?|data|process|src|dst)($|_)", re.IGNORECASE)
_FRAMEWORK_NAMES = {"process_bind_param", "process_result_value", "data_received"}  # hooks that SQLAlchemy and asyncio name
_CLOCKS_AND_DICE = {"datetime.now", "datetime.utcnow", "datetime.today", "time.time", "time.time_ns", "os.urandom"}
_EDGES = ROOT / "src" / "fonoteca" / "edges"
_WRITERS_OF_FILES = {_EDGES / "disk.py", _EDGES / "disk_calls.py"}


@cache
def _text(source: Path) -> str:
    return source.read_text()


@cache
def _nodes(source: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(_text(source))))


def _functions(source: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in _nodes(source) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def _calls(source: Path) -> Iterator[tuple[str, ast.Call]]:
    return ((ast.unparse(n.func), n) for n in _nodes(source) if isinstance(n, ast.Call))


def _at(source: Path, line: int, what: str) -> str:
    return f"{source.relative_to(ROOT)}:{line}: {what}"


def test_there_is_something_to_hold() -> None:
    assert len(SOURCES) > 500


def test_a_module_is_of_a_size_one_can_read() -> None:
    assert [str(each) for each in SOURCES if len(_text(each).splitlines()) > MODULE_LINES_MAX] == []


def test_a_function_fits_a_screen() -> None:
    found = [
        _at(source, function.lineno, function.name)
        for source in SOURCES
        for function in _functions(source)
        if function.end_lineno is None or function.end_lineno - function.lineno >= FUNCTION_LINES_MAX
    ]
    assert found == []


def test_a_function_has_few_parameters() -> None:
    """With more of them a noun is missing. A command's parameters are its options."""
    found = []
    for source in SOURCES:
        for function in () if "migrations" in source.parts else _functions(source):
            if any("command" in ast.unparse(each) for each in function.decorator_list):
                continue
            arguments = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
            named = [each.arg for each in arguments if each.arg not in ("self", "cls")]
            if len(named) > PARAMETERS_MAX:
                found.append(_at(source, function.lineno, f"{function.name}{named}"))
    assert found == []


def test_names_say_something() -> None:
    found = [_at(source, 1, source.stem) for source in SOURCES if _VAGUE.search(source.stem)]
    for source in SOURCES:
        for node in _nodes(source):
            name = ""
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = node.name if node.name not in _FRAMEWORK_NAMES else ""
            elif isinstance(node, ast.arg):
                name = node.arg
            if _VAGUE.search(name):
                found.append(_at(source, getattr(node, "lineno", 1), name))
    assert found == []


def test_clock_and_chance_are_arguments() -> None:
    found = [
        _at(source, call.lineno, name)
        for source in SOURCES
        if _EDGES not in source.parents
        for name, call in _calls(source)
        if {name, name.removeprefix("datetime.")} & _CLOCKS_AND_DICE or (name.startswith("random.") and name != "random.Random")
    ]
    assert found == []


def test_only_the_disk_edge_writes_files() -> None:
    found = [
        _at(source, call.lineno, name)
        for source in SOURCES
        if source not in _WRITERS_OF_FILES
        for name, call in _calls(source)
        if _writes(name, call)
    ]
    assert found == []


def _writes(name: str, call: ast.Call) -> bool:
    """Return whether a call makes, changes or removes a file."""
    if name.endswith((".write_bytes", ".write_text")):
        return True
    if name in ("os.rename", "os.replace", "os.unlink", "os.remove", "shutil.rmtree", "shutil.move"):
        return True
    if name != "open" and not name.endswith("os.fdopen"):
        return False
    modes = (*call.args[1:2], *(each.value for each in call.keywords if each.arg == "mode"))
    return any(set("wax+") & set(str(each.value)) for each in modes if isinstance(each, ast.Constant))


def test_nothing_is_left_open_in_the_code() -> None:
    found = [str(each) for each in SOURCES if re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", _text(each))]
    for source in SOURCES:
        for node in _nodes(source):
            if isinstance(node, ast.ExceptHandler):
                silent = all(isinstance(each, ast.Pass | ast.Continue) for each in node.body)
                broad = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
                if silent and broad:
                    found.append(_at(source, node.lineno, "swallows every error"))
    assert found == []


def test_the_repository_names_no_machine_and_no_registry() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.split(b"\0")
    forbidden = [re.escape(str(ROOT.parent).encode()) + rb"/", rb"pypi\." + rb"org", rb"files\.pythonhosted" + rb"\.org"]
    forbidden += [rb"deb\.debian" + rb"\.org", rb"registry\.npmjs" + rb"\.org"]
    for name in filter(None, tracked):
        path = ROOT / name.decode()
        if path.is_file():
            content = path.read_bytes()
            for pattern in forbidden:
                assert not re.search(pattern, content), f"{name.decode()} names {pattern.decode()}"
