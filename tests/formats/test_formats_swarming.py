"""The settings of swarms: hours, rates and what is refused."""

from __future__ import annotations

from datetime import time

import pytest

from fonoteca.formats.settings import parse_settings, settings_toml
from fonoteca.model.errors import UsageError
from fonoteca.model.settings import Settings
from fonoteca.model.swarming import Rates, SwarmingSettings, parse_hours


def test_settings_of_swarms_are_read_back_as_they_were_written() -> None:
    swarm = SwarmingSettings(0, False, utp=True, encryption="required", schedule="22:00-06:00", outside_bytes_per_s=1_500_000)
    assert parse_settings(settings_toml(Settings("one", "One", swarm=swarm))).swarm == swarm


@pytest.mark.parametrize(
    ("schedule", "inside", "outside"),
    [
        ("22:00-06:00", [time(22), time(23, 59), time(0), time(5, 59, 59)], [time(6), time(12), time(21, 59)]),
        ("09:30-17:00", [time(9, 30), time(16, 59)], [time(9, 29), time(17), time(0)]),
        ("00:00-12:00", [time(0), time(11, 59)], [time(12), time(23, 59)]),
    ],
)
def test_hours_begin_with_their_first_minute_and_end_before_the_last(
    schedule: str, inside: list[time], outside: list[time]
) -> None:
    hours = parse_hours(schedule)
    assert all(hours.have(at) for at in inside)
    assert not any(hours.have(at) for at in outside)


def test_rates_hold_in_the_hours_and_the_other_limit_or_rest_outside() -> None:
    night = SwarmingSettings(upload_bytes_per_s=5, download_bytes_per_s=6, schedule="22:00-06:00", outside_bytes_per_s=7)
    assert night.rates_at(time(23)) == Rates(5, 6)
    assert night.rates_at(time(12)) == Rates(7, 7)
    resting = SwarmingSettings(upload_bytes_per_s=5, schedule="22:00-06:00")
    assert resting.rates_at(time(12)).resting
    assert not resting.rates_at(time(23)).resting
    assert SwarmingSettings(upload_bytes_per_s=5).rates_at(time(12)) == Rates(5, 0)


@pytest.mark.parametrize(
    "line",
    [
        'schedule = "22-06"',
        'schedule = "24:00-06:00"',
        'schedule = "06:00-06:00"',
        'encryption = "yes"',
        "refresh_minutes = 0",
        "port = 70000",
        "upload_bytes_per_s = -1",
        "connections_max = 1",
        "no_such = 1",
    ],
)
def test_a_setting_that_cannot_be_meant_is_named(line: str) -> None:
    with pytest.raises(UsageError, match=rf"swarm.{line.split(' ', 1)[0]}"):
        parse_settings(f'[archive]\nname = "one"\n[swarm]\n{line}\n')
