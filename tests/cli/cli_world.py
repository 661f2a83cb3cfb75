"""What a command says, and music of our own making."""

from __future__ import annotations

import importlib
import json
import wave
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Said:
    """What a command did. answer: its JSON object, where `--json` was asked for."""

    status: int
    out: str
    err: str

    @property
    def answer(self) -> dict[str, Any]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


Fonoteca = Callable[..., Said]


class OneProcess:
    """Workers that are this very process."""

    def __init__(self, count: int) -> None: ...

    def __enter__(self) -> OneProcess:
        return self

    def __exit__(self, *_: object) -> None: ...

    def run(self, task: str, settings: Any, items: Iterable[Any]) -> Iterator[Any]:
        module, name = task.split(":")
        function = getattr(importlib.import_module(module), name)
        return (function(settings, item) for item in items)


def tone(path: Path, seconds: float = 0.3, number: int = 1) -> Path:
    """Write a WAVE file that differs by its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(b for n in range(int(8000 * seconds)) for b in (n * number % 251, n * number % 13)))
    return path


def item(folder: Path, said: str, names: Sequence[str] = ("song.wav",), seconds: float = 0.3) -> Path:
    """Write an item: tones of these names under a statement of rights."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        tone(folder / name, seconds, 1 + sum(map(ord, folder.name + name)) % 200)
    (folder / "rights.toml").write_text(
        f'id = "{folder.name}"\ntitle = "{folder.name.title()} Songs"\nartist = "The Tones"\n{said}\n'
    )
    return folder


OPEN, UNKNOWN = 'licence = "CC-BY-4.0"', 'licence = "LicenseRef-Nobody-Knows"'
