"""Keys and stages on their way between an archive and other places: a USB stick, a machine without a network."""

from __future__ import annotations

import secrets
from pathlib import Path

from fonoteca.edges.disk_calls import in_words
from fonoteca.edges.keys import KeyFolder
from fonoteca.editions.index import INDEX, INDEX_BYTES_MAX
from fonoteca.editions.people import PEOPLE
from fonoteca.editions.trust import (
    CONTENTS,
    ROOT_BYTES_MAX,
    SEED_BYTES,
    STAGED_BYTES_MAX,
    KeyFile,
    Passphrase,
    PublicKey,
    Role,
    locked,
    new_key,
    public_json,
)
from fonoteca.flows.signing import SigningRooms
from fonoteca.gatehouse import carry_people
from fonoteca.model.errors import FixityError, UsageError
from fonoteca.people import Account
from fonoteca.ports import KeyFiles
from fonoteca.wiring import Archive, output_folder, write_output


def signing_rooms(archive: Archive) -> SigningRooms:
    """Return what a change of keys needs."""
    return SigningRooms(archive.editions, archive.keyring, archive.clock)


def key_folder(folder: Path) -> KeyFiles:
    """Return the key files of a folder outside any archive."""
    return KeyFolder(folder)


def write_stage(folder: Path, files: dict[str, bytes]) -> None:
    """Write a stage to a new or empty folder, whole or not at all. Raises: UsageError when something is there."""
    with output_folder(folder) as (staging, unfinished):
        for path, content in files.items():
            with staging.writer(unfinished / path) as stream:
                stream.write(content)


def read_stage(folder: Path) -> dict[str, bytes]:
    """Return the files of a stage by path. Raises: UsageError for a folder that is none, or whose files are too long."""
    if not folder.is_dir():
        raise UsageError(str(folder), "no such folder", "Name the folder that `fonoteca publish --stage` wrote.")
    found: dict[str, bytes] = {}
    for path in (*sorted(folder.glob("*.json")), *(folder / CONTENTS / name for name in (INDEX, *PEOPLE))):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            bytes_max = INDEX_BYTES_MAX if name.startswith(CONTENTS) else STAGED_BYTES_MAX
            found[name] = _read(path, bytes_max)
    if not found:
        raise UsageError(str(folder), "nothing is staged in it", "Name the folder that `fonoteca publish --stage` wrote.")
    return found


def read_key(path: Path) -> bytes:
    """Return a small file that a person names. Raises: UsageError when there is none, or it is too long to be a key."""
    return _read(path, 16_384)


def read_root(path: Path) -> bytes:
    """Return a root of trust that a person names. Raises: as `read_key`."""
    return _read(path, ROOT_BYTES_MAX)


def carry_accounts(archive: Archive) -> list[Account]:
    """Return the accounts that were carried from `people.sqlite` into the settings' database. Raises: UsageError, StoreError."""
    return carry_people(archive.folder, archive.settings, archive.clock)


def read_line(path: Path) -> str:
    """Return the first line of a file that a person names, without its end. Raises: UsageError for what is no text."""
    try:
        lines = _read(path, 16_384).decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(str(path), "not a text", "Write the password on its first line, in UTF-8.") from error
    return lines[0] if lines else ""


def write_new_key(path: Path, role: Role, passphrase: str) -> PublicKey:
    """Return the public half of a new key, whose private half is in a file, and which is itself beside it with `.pub` at its end.

    Raises: TakenError when there is such a file.
    """
    _, content, public = new_key(role, secrets.token_bytes(SEED_BYTES), passphrase)
    KeyFolder(path.resolve().parent, private=False).create(path.name, content)
    write_output(path.with_name(f"{path.name}.pub"), public_json(public))
    return public


def put_signed(path: Path, content: bytes) -> None:
    """Write a signed document in place of the one that was signed."""
    write_output(path, content)


def take_offline(archive: Archive, role: Role, folder: Path, new_passphrase: str, ask: Passphrase) -> list[KeyFile]:
    """Return the keys of a role that were moved to another folder. They are read there before they go here.

    new_passphrase: what they are locked with there, "" to leave them as they are.
    Raises: UsageError for a folder in the archive, and when no key of the role is here.
    """
    if folder.resolve().is_relative_to(archive.folder.resolve()):
        raise UsageError(str(folder), "it is in the archive", "Name a folder elsewhere, such as one on a USB stick.")
    moved = [key for key in archive.keyring.held() if key.role is role]
    if not moved:
        raise UsageError(role, "no key of it is here", "`fonoteca keys show` says where they are.")
    source, target = KeyFolder(archive.folder / "keys"), KeyFolder(folder)
    for key in moved:
        content = source.read(key.name)
        wanted = locked(key.name, content, new_passphrase, ask) if new_passphrase else content
        target.create(key.name, wanted)
        if target.read(key.name) != wanted:
            raise FixityError(str(folder / key.name), "it is not what was written", "Try another disk; the key is still here.")
    archive.keyring.drop(key.key_id for key in moved)
    return moved


def _read(path: Path, bytes_max: int) -> bytes:
    if not path.is_file():
        raise UsageError(str(path), "no such file", "Check the path.")
    with in_words(path), path.open("rb") as stream:
        content = stream.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise UsageError(str(path), f"longer than {bytes_max} bytes", "Name another file.")
    return content
