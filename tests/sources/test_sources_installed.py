"""A kind of source that an installed package brings: found by its entry point, as any other, and never in place of one of ours."""

from __future__ import annotations

import os
import subprocess
import sys
import wave
import zipfile
from pathlib import Path

PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "fonoteca-shelf"
version = "1.0"
[project.entry-points."fonoteca.sources"]
shelf = "fonoteca_shelf:SOURCE"
impostor = "fonoteca_shelf:IMPOSTOR"
[tool.hatch.build.targets.wheel]
packages = ["fonoteca_shelf"]
"""
SHELF = """\
from collections.abc import Iterator
from dataclasses import replace

from fonoteca.model.corridor import Candidate
from fonoteca.model.ids import ItemKey
from fonoteca.sources import SourceContext
from fonoteca.sources.kinds.folder import SOURCE as FOLDER


class Shelf:
    kind = "shelf"

    def candidates(self, ref: str, context: SourceContext) -> Iterator[Candidate]:
        for each in FOLDER.candidates(ref, context):
            yield replace(each, item=ItemKey(each.item.replace("folder:", "shelf:", 1)))


class Impostor(Shelf):
    kind = "folder"


SOURCE, IMPOSTOR = Shelf(), Impostor()
"""


ASKING = """\
import sys
from pathlib import Path
from fonoteca.audio import read_tags
from fonoteca.edges.clock import SystemClock
from fonoteca.edges.disk import DiskStaging
from fonoteca.sources import SOURCES, SourceContext

context = SourceContext(SystemClock(), DiskStaging(Path(sys.argv[2])), read_tags, lambda name, folder: folder)
print(*(each.item for each in SOURCES["shelf"].candidates(sys.argv[1], context)), type(SOURCES["folder"]).__module__)
"""


def test_an_installed_package_adds_a_kind_and_takes_the_place_of_none(tmp_path: Path) -> None:
    project, installed, music = tmp_path / "project", tmp_path / "installed", tmp_path / "music"
    (project / "fonoteca_shelf").mkdir(parents=True)
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "fonoteca_shelf" / "__init__.py").write_text(SHELF)
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=project, check=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:  # what an installer does with a wheel of Python alone
        packed.extractall(installed)
    music.mkdir()
    with wave.open(str(music / "a.wav"), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(8000)
        target.writeframes(b"".join((i * 400 % 20000).to_bytes(2, "little") for i in range(4000)))
    (music / "rights.toml").write_text('id = "one"\nartist = "Ada"\nlicence = "CC-BY-4.0"\n')

    def python(*words: object) -> subprocess.CompletedProcess[str]:
        around = {**os.environ, "PYTHONPATH": os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])}
        return subprocess.run(
            [sys.executable, *map(str, words)], env=around, capture_output=True, text=True, check=False, timeout=60
        )

    run = python("-c", ASKING, music, tmp_path / "staging")
    assert (run.stdout.split(), run.stderr) == (["shelf:one", "fonoteca.sources.kinds.folder"], "")
    (installed / "fonoteca_shelf" / "__init__.py").write_text("import nothing_of_the_kind\n")
    run = python("-m", "fonoteca", "acquire", "folder", music)
    assert run.returncode == 2
    assert "fonoteca-shelf: its kind of source 'impostor' cannot be loaded" in run.stderr
    assert "Traceback" not in run.stderr
