"""What a simulated source offers: tiny recordings of our own making, and how they change from time to time."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random

from fonoteca.edges.disk_calls import SystemCalls, make_folders, remove_tree, write_durably

RATE_HZ = 8000
_SHORT, _LONG = 900, 20_000
"""Samples of a recording: 1.8 kB, and 40 kB, which is three pieces of 16 KiB."""

_LICENCES = ("CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "CC-BY-NC-ND-4.0", "LicenseRef-Nobody-Knows")


class Instant(SystemCalls):
    """Calls that do not wait for a disk, for what is outside of the simulated one."""

    def fsync(self, descriptor: int) -> None:
        """Return at once."""

    def fsync_dir(self, path: Path) -> None:
        """Return at once."""

    def sync_all(self, descriptor: int) -> None:
        """Return at once."""


INSTANT = Instant()


@lru_cache(maxsize=256)
def recording(number: int, samples: int) -> bytes:
    """Return a WAVE file: a tone of its own for each number, 16 bits, mono."""
    tone = [int(9000 * math.sin(2 * math.pi * (200 + 13 * number) * at / RATE_HZ)) for at in range(samples)]
    sound = struct.pack(f"<{samples}h", *tone)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE_HZ, 2 * RATE_HZ, 2, 16)
    chunks = form + struct.pack("<4sI", b"data", len(sound)) + sound
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WAVE") + chunks


def put_file(path: Path, content: bytes) -> None:
    """Write a file outside of the simulated disk."""

    def fill(descriptor: int) -> None:
        view = memoryview(content)
        while len(view):
            view = view[INSTANT.write(descriptor, view) :]

    write_durably(path, fill, INSTANT)


@dataclass(slots=True)
class Music:
    """A folder of items at a source. items: name to files by name, and the licence that its rights.toml states."""

    folder: Path
    items: dict[str, tuple[dict[str, bytes], str]] = field(default_factory=dict)
    made: int = 0

    def begin(self, chance: Random, names: Sequence[str] = ()) -> None:
        """Offer items of these names, or a few, of some of which nobody may say that they may be held."""
        for name in names or ("air", "bell", "chant", "dance")[: chance.randint(2, 4)]:
            files = {f"{track:02d}.wav": self._new(chance) for track in range(1, chance.randint(1, 3) + 1)}
            licence = chance.choice(_LICENCES) if not names and chance.random() < 0.3 else _LICENCES[0]
            self._offer(name, files, licence)

    def change(self, chance: Random) -> str:
        """Change an item; return what was done."""
        name = chance.choice(sorted(self.items))
        files, licence = dict(self.items[name][0]), self.items[name][1]
        match chance.randrange(4):
            case 0 if len(files) > 1:
                gone = chance.choice(sorted(files))
                del files[gone]
                done = f"takes {gone} from {name}"
            case 1:
                new = f"{len(files) + 1 + chance.randrange(3):02d}.wav"
                files[new] = self._new(chance)
                done = f"gives {name} {new}"
            case 2 if licence != _LICENCES[-1]:
                licence = chance.choice(_LICENCES[:3])
                done = f"states {licence} for {name}"
            case _:
                again = chance.choice(sorted(files))
                files[again] = self._new(chance)
                done = f"replaces {again} of {name}"
        self._offer(name, files, licence)
        return done

    def offered(self, name: str) -> Mapping[str, bytes]:
        """Return the files of an item by logical path."""
        return self.items[name][0]

    def _new(self, chance: Random) -> bytes:
        """Return a recording that was not offered before."""
        self.made += 1
        return recording(self.made, _LONG if chance.random() < 0.2 else _SHORT)

    def _offer(self, name: str, files: dict[str, bytes], licence: str) -> None:
        """Write an item's folder anew."""
        self.items[name] = (files, licence)
        remove_tree(self.folder / name, INSTANT)
        make_folders(self.folder / name, INSTANT)
        for path, content in files.items():
            put_file(self.folder / name / path, content)
        said = f'id = "{name}"\ntitle = "{name.title()}"\nartist = "The Generators"\nsource = "https://example.org/{name}"\n'
        put_file(self.folder / name / "rights.toml", f'{said}licence = "{licence}"\n'.encode())
