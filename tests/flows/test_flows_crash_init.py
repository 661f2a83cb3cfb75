"""Init, crashed at every durable call: the same command again makes the archive."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flows_world import SETTINGS, Unsynced, bytes_of, leftovers, opened, state_of

from fonoteca.formats.settings import FILE_NAME
from fonoteca.model.errors import UsageError
from fonoteca.testing import Crash, CrashingCalls
from fonoteca.wiring import create_archive, load_settings


def test_init_crashed_at_any_durable_call_can_be_run_again(fast_path: Path, validate: Callable[[Path], None]) -> None:
    counted = CrashingCalls(Unsynced())
    create_archive(fast_path / "whole", SETTINGS, counted)
    assert counted.count > 60
    whole = _names(fast_path / "whole")
    for n in range(counted.count):
        folder = fast_path / f"crashed-{n}"
        with pytest.raises(Crash):
            create_archive(folder, SETTINGS, CrashingCalls(Unsynced(), n))
        if (folder / FILE_NAME).exists():  # it is the last thing written: what is there is whole
            with pytest.raises(UsageError, match="is an archive already"):
                create_archive(folder, SETTINGS, Unsynced())
        else:
            create_archive(folder, SETTINGS, Unsynced())
        assert load_settings(folder) == SETTINGS
        assert _names(folder) == whole, n
        assert leftovers(folder) == []
        with opened(folder) as archive:
            assert state_of(archive.register) == {"rows": [], "decisions": [], "events": []}
    validate(fast_path / "whole" / "store")
    print(f"\ninit: {counted.count} durable calls crashed")  # noqa: T201


def _names(folder: Path) -> list[str]:
    """Return the names of all files; of keys, which are other ones in each archive, their roles."""
    return sorted(re.sub("-[0-9a-f]{64}[.]pem$", "", name) for name in bytes_of(folder))


def test_a_folder_that_holds_other_things_is_not_made_an_archive(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds other things, such as 'letter\.txt'"):
        create_archive(tmp_path, SETTINGS)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        create_archive(tmp_path / "file", SETTINGS)
    assert bytes_of(tmp_path) == {"letter.txt": b"mine", "file": b"mine"}
