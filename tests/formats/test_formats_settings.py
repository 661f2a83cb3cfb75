from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fonoteca.formats.quantities import parse_bytes, show_bytes, show_duration, show_share
from fonoteca.formats.settings import parse_settings, settings_toml
from fonoteca.model.errors import UsageError
from fonoteca.model.rights import Policy
from fonoteca.model.settings import EditionSettings, ServerSettings, Settings

_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)


@given(
    title=_TEXT.filter(str.isprintable),
    policy=st.builds(Policy, st.booleans(), st.booleans(), st.sampled_from(["admit", "hold"]), st.booleans()),
    editions=st.builds(
        EditionSettings,
        st.integers(1, 10**15),
        st.integers(1, 10**6),
        st.lists(_TEXT, max_size=3).map(tuple),
        st.lists(_TEXT, max_size=3).map(tuple),
    ),
    server=st.builds(ServerSettings, _TEXT, st.integers(1, 65535)),
)
def test_settings_survive_the_file(title: str, policy: Policy, editions: EditionSettings, server: ServerSettings) -> None:
    settings = Settings(name="jazz-2026", title=title, rights=policy, editions=editions, server=server)
    assert parse_settings(settings_toml(settings)) == settings


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "archive.name"),
        ("[archive]\nname = 'Über'", "Über"),
        ("[archive]\nname = 'con'", "con"),
        ("[archive]\nname = 'a'\ntitle = ''", "title"),
        ('[archive]\nname = "a"\ntitle = "a\\nb"', "title"),
        ("[archive]\nname = 'a'\npiece_bytes = 1000", "piece length"),
        ("[archive]\nname = 'a'\nworkers = -1", "workers"),
        ("[archive]\nname = 'a'\n[editions]\ndrop_files_max = 0", "drop_files_max"),
        ("[archive]\nname = 'a'\n[server]\nport = 99999", "port"),
        ("[archive]\nname = 'a'\ncolour = 1", "archive.colour"),
        ("[archive]\nname = 'a'\n[rights]\npublic_domain = 'maybe'", "rights.public_domain"),
        ("[archive]\nname = 'a'\n[editions]\ntrackers = 'x'", "editions.trackers"),
        ("[archive]\nname = 'a'\n[editions]\ndrop_bytes_max = '4 elephants'", "4 elephants"),
        ("[archive]\nname = 'a'\n[server]\nport = true", "server.port"),
        ("[magic]\n", "magic"),
        ("name = ", "fonoteca.toml"),
    ],
)
def test_a_wrong_setting_is_named(text: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        parse_settings(text)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("300TB", 300 * 10**12), ("4 MiB", 4 * 2**20), ("1000", 1000), ("1.5 GB", 1_500_000_000), ("2kb", 2000)],
)
def test_amounts_are_read_as_people_write_them(text: str, amount: int) -> None:
    assert parse_bytes(text) == amount


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1_234_567, "1.23 MB"), (999_999, "1 MB"), (300 * 10**12, "300 TB")],
)
def test_amounts_are_shown_with_three_digits(amount: int, text: str) -> None:
    assert show_bytes(amount) == text


def test_durations_and_shares_are_shown_for_people() -> None:
    assert [show_duration(ms) for ms in (0, 185_000, 3_723_400)] == ["0:00", "3:05", "1:02:03"]
    assert [show_share(share) for share in (0.996, 0.00012, 1)] == ["99.6 %", "0.012 %", "100 %"]
