"""Makes .deb files for tests: right ones, and wrong ones where a test wants them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

CONTROL = (
    "Package: {name}\nVersion: 1.0-1\nArchitecture: all\nHomepage: https://example.org/\nDescription: tunes for a test\n longer\n"
)


@dataclass
class DebBuilder:
    """Makes .deb files: ar around control.tar and data.tar, as dpkg-deb does, or wrong where a test wants it."""

    folder: Path
    name: str = "tunes"
    packing: str = "xz"
    members: list[tuple[tarfile.TarInfo, bytes]] = field(default_factory=list)

    def add(self, path: str, content: bytes = b"", **fields: object) -> DebBuilder:
        info = tarfile.TarInfo(path)
        info.size = len(content)
        for field_name, value in fields.items():
            setattr(info, field_name, value)
        self.members.append((info, content))
        return self

    def copyright(self, text: str | bytes) -> DebBuilder:
        return self.add(f"./usr/share/doc/{self.name}/copyright", text.encode() if isinstance(text, str) else text)

    def data_tar(self) -> bytes:
        return tar_of(self.members)

    def parts(self) -> dict[str, bytes]:
        control = CONTROL.format(name=self.name).encode()
        info = tarfile.TarInfo("./control")
        info.size = len(control)
        suffix = f".{self.packing}" if self.packing else ""
        return {
            "debian-binary": b"2.0\n",
            "control.tar.gz": gzip.compress(tar_of([(info, control)]), mtime=0),
            f"data.tar{suffix}": PACKERS[self.packing](self.data_tar()),
        }

    def write(self, parts: Mapping[str, bytes] | None = None) -> str:
        path = self.folder / f"{self.name}_1.0-1_all.deb"
        path.write_bytes(ar_of((self.parts() if parts is None else parts).items()))
        return str(path)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "xz": lambda content: lzma.compress(content, preset=0),
    "gz": lambda content: gzip.compress(content, 1, mtime=0),
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor().compress,
    "": bytes,
}


def tar_of(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return buffer.getvalue()


def ar_of(parts: Iterable[tuple[str, bytes]]) -> bytes:
    out = [b"!<arch>\n"]
    for name, content in parts:
        out.append(
            f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode() + content + b"\n" * (len(content) % 2)
        )
    return b"".join(out)
