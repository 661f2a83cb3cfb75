"""Archives that older Fonotecas wrote stay readable, sound and writable."""

from __future__ import annotations

import tarfile
import wave
from pathlib import Path

import ocfl
import pytest

import fonoteca.cli.commands  # noqa: F401  (importing it makes every command join)
from fonoteca.cli.app import run
from fonoteca.register import Register

OLD = sorted(Path(__file__).parent.glob("*.tar.gz"))
assert OLD, "the old archives are gone"


@pytest.fixture(params=OLD, ids=lambda path: path.name.removesuffix(".tar.gz"))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return an old archive, unpacked."""
    with tarfile.open(request.param) as packed:
        packed.extractall(tmp_path, filter="data")
    return next(path for path in tmp_path.iterdir() if (path / "fonoteca.toml").is_file())


def natural(folder: Path) -> list[object]:
    with Register.open(folder / "register.sqlite") as register:
        return list(register.natural_rows())


def test_an_old_archive_is_sound_and_made_anew_to_the_same_rows(old: Path) -> None:
    assert run(["audit", "--all", "--archive", str(old)]) == 0
    assert run(["audit", "--ocfl", str(old / "store")]) == 0
    assert ocfl.StorageRoot(root=str(old / "store")).validate()
    before = natural(old)
    (old / "register.sqlite").unlink()
    assert run(["rebuild", "--archive", str(old)]) == 0
    assert natural(old) == before
    assert run(["doctor", "--archive", str(old)]) in (0, 1), "without a catalogue search is broken, and nothing is damaged"


def test_an_old_archive_takes_more_in_and_publishes_it(old: Path, tmp_path: Path) -> None:
    before = {row[1] for row in natural(old) if isinstance(row, tuple) and row[0] == "object"}
    item = tmp_path / "music" / "later"
    item.mkdir(parents=True)
    _tone(item / "song.wav")
    (item / "rights.toml").write_text('id = "later"\ntitle = "Later"\nartist = "The Tones"\nlicence = "CC0-1.0"\n')
    assert run(["acquire", "folder", str(item.parent), "--archive", str(old)]) == 0
    assert run(["publish", "--archive", str(old)]) == 0
    held = {row[1] for row in natural(old) if isinstance(row, tuple) and row[0] == "object"}
    assert before < held
    assert run(["audit", "--archive", str(old)]) == 0


def test_an_old_archive_goes_through_a_backup(old: Path, tmp_path: Path) -> None:
    assert run(["backup", str(tmp_path / "kept.tar"), "--archive", str(old)]) == 0
    assert run(["restore", str(tmp_path / "kept.tar"), str(tmp_path / "new")]) == 0
    assert natural(tmp_path / "new") == natural(old)


def _tone(path: Path) -> None:
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(n * 7 % 251 for n in range(8000)))
