"""The rules of style that a machine can hold."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

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


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func)


@pytest.fixture(params=SOURCES, ids=lambda p: str(p.relative_to(ROOT / "src" / "fonoteca")))
def source(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_a_module_is_of_a_size_one_can_read(source: Path) -> None:
    assert len(source.read_text().splitlines()) <= MODULE_LINES_MAX


def test_a_function_fits_a_screen_and_has_few_parameters(source: Path) -> None:
    for function in _functions(ast.parse(source.read_text())):
        assert function.end_lineno is not None
        assert function.end_lineno - function.lineno < FUNCTION_LINES_MAX, function.name
        if any("command" in ast.unparse(d) for d in function.decorator_list) or "migrations" in source.parts:
            continue  # a command's parameters are its options
        arguments = (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)
        named = [a.arg for a in arguments if a.arg not in ("self", "cls")]
        assert len(named) <= PARAMETERS_MAX, f"{function.name}{named}: a noun is missing"


def test_names_say_something(source: Path) -> None:
    assert not _VAGUE.search(source.stem)
    tree = ast.parse(source.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            assert node.name in _FRAMEWORK_NAMES or not _VAGUE.search(node.name), f"{source.name}:{node.lineno}: {node.name}"
        if isinstance(node, ast.arg):
            assert not _VAGUE.search(node.arg), f"{source.name}:{node.lineno}: {node.arg}"


def test_clock_and_chance_are_arguments(source: Path) -> None:
    if _EDGES in source.parents:
        return
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Call):
            name = _called(node)
            assert name.removeprefix("datetime.") not in _CLOCKS_AND_DICE, f"{source.name}:{node.lineno}: {name}"
            assert name not in _CLOCKS_AND_DICE, f"{source.name}:{node.lineno}: {name}"
            assert not name.startswith("random.") or name == "random.Random", f"{source.name}:{node.lineno}: {name}"


def test_only_the_disk_edge_writes_files(source: Path) -> None:
    if source in _WRITERS_OF_FILES:
        return
    for node in ast.walk(ast.parse(source.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = _called(node)
        where = f"{source.name}:{node.lineno}: {name}"
        assert not name.endswith((".write_bytes", ".write_text")), where
        assert name not in ("os.rename", "os.replace", "os.unlink", "os.remove", "shutil.rmtree", "shutil.move"), where
        if name == "open" or name.endswith("os.fdopen"):
            modes = [
                a.value
                for a in (*node.args[1:2], *(k.value for k in node.keywords if k.arg == "mode"))
                if isinstance(a, ast.Constant)
            ]
            assert not any(set("wax+") & set(str(m)) for m in modes), where


def test_nothing_is_left_open_in_the_code(source: Path) -> None:
    text = source.read_text()
    assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", text)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ExceptHandler):
            silent = all(isinstance(s, ast.Pass | ast.Continue) for s in node.body)
            broad = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
            assert not (silent and broad), f"{source.name}:{node.lineno}: swallows every error"


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
