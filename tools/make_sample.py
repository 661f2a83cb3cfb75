"""Make src/fonoteca/sample anew from Debian packages: `python tools/make_sample.py [FOLDER]`.

Every byte is settled by the table below: the same packages give the same folder, and a package whose file differs from its
digest here is an error, to be looked at by a person. Needs apt-get with up-to-date lists, and 60 MB of downloads.
"""

from __future__ import annotations

import gzip
import hashlib
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fonoteca.edges.packages import download_package
from fonoteca.sources.deb import open_deb

TARGET = Path(__file__).resolve().parents[1] / "src" / "fonoteca" / "sample"
SAMPLE_BYTES_MAX = 10_000_000


@dataclass(frozen=True)
class Pick:
    """A file taken from a package as it is. who, what: for the table of provenance."""

    package: str
    path: str
    target: str
    sha256: str
    who: str
    licence: str


@dataclass(frozen=True)
class Text:
    """A text for NOTICE.txt, from a package. start, end: leave out what is before the one line, and from the other on."""

    package: str
    path: str
    start: str = ""
    end: str = ""


@dataclass(frozen=True)
class Item:
    """A folder of the sample. rights: its rights.toml, less the comment that the tool puts first."""

    folder: str
    rights: str
    picks: tuple[Pick, ...]
    texts: tuple[Text, ...]


BY_SA = "CC BY-SA 3.0"
GPL = "GPL 2 or later"
GPL_TEXT = Text("base-files", "usr/share/common-licenses/GPL-2")

ITEMS = (
    Item(
        folder="endgame-singularity",
        rights="""id = "endgame-singularity"
title = "Endgame: Singularity Original Soundtrack"
artist = "Maxstack"
licence = "https://creativecommons.org/licenses/by-sa/3.0/"
attribution = "Max McCracken (Maxstack), music for Endgame: Singularity"
notices = "NOTICE.txt"
source = "http://emhsoft.com/singularity/"

[artwork]
licence = "https://creativecommons.org/licenses/by-sa/3.0/"
attribution = "The authors of Endgame: Singularity, map of the theme \\"vector\\""
""",
        picks=(
            *(
                Pick(
                    "singularity-music",
                    f"usr/share/games/singularity/music/{path}",
                    path.rpartition("/")[2],
                    digest,
                    "Max McCracken",
                    BY_SA,
                )
                for path, digest in (
                    ("win/Apex Aleph.ogg", "c9d9bdd0c3993491dd88bf40aece1ef92ce87c5421aee421cd7cdaa532f66f8f"),
                    ("lose/Chimes They Fade.ogg", "4fc543e9e618a644610ec0875d18c62d8a37e9a546e3b7039dfb8912ef45ca6c"),
                    ("lose/March Thee to Dis.ogg", "30b82c3b16fd92fa8ea134d2ae37ae0f96b28574446204cd976fd5cac29c2b2d"),
                )
            ),
            Pick(
                "singularity",
                "usr/lib/python3/dist-packages/singularity/data/themes/vector/images/earth.png",
                "earth.png",
                "e4f9237d43a8623a8a128ff5aad24c347c0f9812349f1b6acc29c7befc553f77",
                "the authors of Endgame: Singularity",
                BY_SA,
            ),
        ),
        texts=(
            Text("singularity", "usr/share/doc/singularity/README.txt.gz", "## CREDITS AND LICENSES"),
            Text("singularity", "usr/share/doc/singularity/AUTHORS.txt"),
            Text("singularity-music", "usr/share/doc/singularity-music/copyright"),
        ),
    ),
    Item(
        folder="battle-for-wesnoth",
        rights="""id = "battle-for-wesnoth"
title = "The Battle for Wesnoth OST"
artist = "Wesnoth Project"
licence = "GPL-2.0-or-later"
attribution = "Aleksi Aubry-Carlson, Joseph G. Toscano (Zhaytee) and Tyler Johnson, music for The Battle for Wesnoth"
notices = "NOTICE.txt"
source = "https://www.wesnoth.org/"
""",
        picks=tuple(
            Pick("wesnoth-1.16-music", f"usr/share/games/wesnoth/1.16/data/core/music/{name}", name, digest, who, GPL)
            for name, digest, who in (
                ("elf-land.ogg", "b9de48b223c5a9c5f2edd3dfffa698f6b5243a8dfd293f5c970d4af9c157ba96", "Aleksi Aubry-Carlson"),
                (
                    "revelation.ogg",
                    "be35e1d36b63cb884a796801e4c8d33426a403918a5b4737843ea9926c641ebc",
                    "Joseph G. Toscano (Zhaytee)",
                ),
                ("sad.ogg", "67c8ad21864245542d102aa52461e99c80f649b6c5973f152e25a03f9cb084c8", "Tyler Johnson"),
                ("transience.ogg", "6de11179f01374b305ca891000423cf7a7e980efee8a635a88f9dc97288df4ad", "Aleksi Aubry-Carlson"),
            )
        ),
        texts=(Text("wesnoth-1.16-music", "usr/share/doc/wesnoth-1.16-music/copyright"), GPL_TEXT),
    ),
    Item(
        folder="warzone-2100-legacy",
        rights="""id = "warzone-2100-legacy"
title = "Warzone 2100 - Legacy Soundtrack"
artist = "LupusMechanicus"
licence = "CC-BY-SA-3.0 OR GPL-2.0-or-later"
attribution = "LupusMechanicus, Warzone 2100 - Legacy Soundtrack"
notices = "NOTICE.txt"
source = "https://wz2100.net/"

[artwork]
licence = "GPL-2.0-or-later"
attribution = "Warzone 2100 Project"
""",
        picks=(
            Pick(
                "warzone2100-music",
                "usr/share/games/warzone2100/music/albums/legacy_soundtrack/track6.opus",
                "track6.opus",
                "cff41a827be0b00d16466811b1252c4cee464a8b07ad77fae44dea788d86495b",
                "LupusMechanicus",
                f"{BY_SA} or {GPL}",
            ),
            Pick(
                "warzone2100-music",
                "usr/share/games/warzone2100/music/albums/legacy_soundtrack/albumcover.png",
                "albumcover.png",
                "7dfc5bb9ebb5b48b7c6b11e2df76a2117c1e7658c555b1879fcc8b6ad83f7ebd",
                "Warzone 2100 Project",
                GPL,
            ),
        ),
        texts=(
            Text("warzone2100-music", "usr/share/games/warzone2100/music/albums/legacy_soundtrack/license.txt"),
            Text("warzone2100-music", "usr/share/doc/warzone2100-music/copyright", end="Files: icons/"),
        ),
    ),
    Item(
        folder="advanced-strategic-command",
        rights="""id = "advanced-strategic-command"
title = "Advanced Strategic Command"
artist = "Michael Kievernagel"
licence = "GPL-2.0-or-later"
attribution = "Michael Kievernagel, music for Advanced Strategic Command"
notices = "NOTICE.txt"
source = "http://www.asc-hq.de/"
""",
        picks=(
            Pick(
                "asc-music",
                "usr/share/games/asc/music/machine_wars.mp3",
                "machine_wars.mp3",
                "e7b0337656a1dd9c4809bb9a620a015c1bc3898d7dde6ba2e2a0e7c0ce12313b",
                "Michael Kievernagel",
                GPL,
            ),
        ),
        texts=(Text("asc-music", "usr/share/doc/asc-music/copyright"), GPL_TEXT),
    ),
)


def main() -> None:
    """Fetch the packages, take the files, and put the new folder in the place of the old one."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    wanted = {(p.package, p.path) for i in ITEMS for p in (*i.picks, *i.texts)}
    with tempfile.TemporaryDirectory() as scratch:
        files, versions = fetch(wanted, Path(scratch))
        made = Path(scratch) / "sample"
        for item in ITEMS:
            make_item(item, made / item.folder, files)
        (made / "README.md").write_text(readme(files, versions), encoding="utf-8")
        total_bytes = sum(p.stat().st_size for p in made.rglob("*") if p.is_file())
        if total_bytes > SAMPLE_BYTES_MAX:
            sys.exit(f"the sample has {total_bytes} bytes, expected at most {SAMPLE_BYTES_MAX}")
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(made, target)
    print(f"{target}: {total_bytes} bytes in {len(ITEMS)} items")


def fetch(wanted: set[tuple[str, str]], scratch: Path) -> tuple[dict[tuple[str, str], bytes], dict[str, str]]:
    """Return the wanted files by package and path, and the version of each package."""
    files: dict[tuple[str, str], bytes] = {}
    versions = {}
    for package in sorted({package for package, _ in wanted}):
        deb_path = download_package(package, scratch)
        with open_deb(deb_path, package) as deb:
            versions[package] = deb.control().version
            for member in deb.members():
                key = (package, member.name.decode("utf-8", "surrogateescape").removeprefix("./"))
                if key in wanted and member.content is not None:
                    files[key] = member.content.read()
        deb_path.unlink()
        print(f"{package} {versions[package]}", file=sys.stderr)
    missing = wanted - files.keys()
    if missing:
        sys.exit(f"not in the packages: {sorted(missing)}")
    return files, versions


def make_item(item: Item, folder: Path, files: dict[tuple[str, str], bytes]) -> None:
    """Write one item's folder."""
    folder.mkdir(parents=True)
    for pick in item.picks:
        content = files[pick.package, pick.path]
        digest = hashlib.sha256(content).hexdigest()
        if digest != pick.sha256:
            sys.exit(f"{pick.package} {pick.path}: expected sha256 {pick.sha256}, found {digest}; look at it and correct the table")
        (folder / pick.target).write_bytes(content)
    (folder / "rights.toml").write_text(
        f"# Made by tools/make_sample.py. Schema: docs/sources.md.\n{item.rights}", encoding="utf-8"
    )
    (folder / "NOTICE.txt").write_text("\n\n".join(notice(text, files) for text in item.texts) + "\n", encoding="utf-8")


def notice(text: Text, files: dict[tuple[str, str], bytes]) -> str:
    """Return one text under a line that says where it is from."""
    raw = files[text.package, text.path]
    body = (gzip.decompress(raw) if text.path.endswith(".gz") else raw).decode("utf-8", "replace")
    if text.start:
        body = body[body.index(text.start) :]
    if text.end:
        body = body[: body.index(text.end)]
    return f"==== {text.path} of the Debian package {text.package} ====\n\n{body.strip()}"


def readme(files: dict[tuple[str, str], bytes], versions: dict[str, str]) -> str:
    """Return README.md with the table of provenance."""
    lines = [
        "# The bundled sample",
        "",
        "Complete, openly licensed tracks with their notices and their sources' own pictures, as they are in Debian packages.",
        "Made by `tools/make_sample.py`; each folder's `rights.toml` states its terms and `NOTICE.txt` has the legal texts.",
        "None of it is under the licence of Fonoteca's own code.",
        "",
        "| file | bytes | by | licence | Debian package | path in it |",
        "|---|---:|---|---|---|---|",
    ]
    for item in ITEMS:
        for pick in item.picks:
            size = len(files[pick.package, pick.path])
            origin = f"{pick.package} {versions[pick.package]} | {pick.path}"
            lines.append(f"| {item.folder}/{pick.target} | {size} | {pick.who} | {pick.licence} | {origin} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
