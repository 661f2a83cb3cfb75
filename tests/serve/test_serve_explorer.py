"""The coverage explorer without scripts: a budget in, what it keeps out, in the figures of the catalogue's own answer."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from serve_site import ENDGAME, Site

from fonoteca.catalogue import Catalogue
from fonoteca.edges.disk import DiskBlobs, DiskStaging
from fonoteca.formats.quantities import show_bytes, show_share
from fonoteca.serve.curve import HEIGHT, WIDTH, curve_view
from fonoteca.serve.telling.explorer import default_budget, explored


def kept_words(client: httpx.Client, budget: str) -> str:
    """Return what the page says that a budget keeps, as text."""
    answer = client.get("/coverage", params={"budget": budget})
    assert answer.status_code == 200
    found = re.search(r'<div class="answer" id="answer">(.*?)<figure.*?<div id="ends">(.*?)</section>', answer.text, re.DOTALL)
    assert found
    return " ".join(re.sub(r"<[^>]+>", " ", found[1] + found[2]).split())


def test_a_budget_says_what_it_keeps_in_the_catalogues_figures(site: Site, client: httpx.Client) -> None:
    whole = site.rooms.catalogue.coverage()
    budget = f"{whole.points[-1].curve_bytes // 2}"
    found = site.rooms.catalogue.kept_within(int(budget))
    words = kept_words(client, budget)
    assert f"{show_share(found.kept.share)} of all listening is kept in {show_bytes(int(budget))} synthetic" in words
    assert f"90 % interval {show_share(found.low)} to {show_share(found.high)}; the {found.kept.count} most heard" in words
    assert f"Held of these now {found.kept.held_count} " in words
    assert f"Missing {found.kept.missing_count} in " in words
    assert "The next 1 MB" in words or "The next 1 GB" in words
    for each in found.last:
        assert each.title.split()[0] in words


def test_sizes_are_read_as_the_commands_read_them(client: httpx.Client) -> None:
    assert kept_words(client, "1MB") == kept_words(client, " 1 mb ") == kept_words(client, "1000000")
    assert kept_words(client, "1MiB").startswith(kept_words(client, "1048576")[:20])
    everything = kept_words(client, "9 PB")
    assert everything.startswith("100 % of all listening is kept in 9 PB")
    assert "nothing all is kept" in everything
    assert kept_words(client, "0").startswith("0 % of all listening")


@pytest.mark.parametrize("typed", ["", "much", "-1 GB", "10 PB", "9" * 41, "1e400", "9" * 39 + ".5EB", "<script>"])
def test_what_is_no_amount_is_answered_beside_the_field(client: httpx.Client, typed: str) -> None:
    answer = client.get("/coverage", params={"budget": typed})
    assert answer.status_code == 400
    assert re.search(r'<div id="budget-note" aria-live="assertive"><p class="refused">[A-Z]', answer.text)
    assert 'aria-invalid="true"' in answer.text
    assert "<script>" not in answer.text.replace("<script src", "")
    assert "The curve as figures" in answer.text


def test_without_a_budget_one_is_chosen_that_keeps_most(site: Site, client: httpx.Client) -> None:
    coverage = site.rooms.catalogue.coverage()
    seen = explored(site.rooms, coverage, None)
    assert seen.typed == default_budget(coverage)
    assert seen.found is not None
    assert seen.found.kept.share >= 0.9
    assert f'value="{seen.typed}"' in client.get("/coverage").text
    for preset in seen.presets:
        found = explored(site.rooms, coverage, preset.budget).found
        assert found is not None
        assert found.kept.share >= preset.share - 1e-9


def test_the_curve_has_a_place_for_every_budget(site: Site) -> None:
    coverage = site.rooms.catalogue.coverage()
    for budget in (0, 1, *(point.curve_bytes for point in coverage.points), 2**53):
        found = site.rooms.catalogue.kept_within(budget)
        chosen = curve_view(coverage, found).chosen
        assert chosen is not None
        assert 0 <= chosen.x <= WIDTH
        assert chosen.y == pytest.approx(HEIGHT * (1 - found.kept.share))
        assert 0 <= chosen.high <= chosen.y <= chosen.low <= HEIGHT


def test_before_the_first_catalogue_the_page_says_how_to_make_one(site: Site, tmp_path: Path) -> None:
    staging = DiskStaging(tmp_path / "staging")
    with Catalogue(DiskBlobs(tmp_path / "empty"), staging, site.rooms.clock) as empty, site.client(catalogue=empty) as client:
        answer = client.get("/coverage?budget=1GB")
        assert answer.status_code == 200
        assert "There is no catalogue snapshot yet" in answer.text


def test_the_last_kept_leads_to_what_is_held(site: Site, client: httpx.Client) -> None:
    ranked = list(site.rooms.catalogue.rows())
    place = next(number for number, row in enumerate(ranked) if row.held and row.release.startswith("Endgame"))
    budget = sum(row.file_bytes for row in ranked[: place + 1])
    text = client.get("/coverage", params={"budget": str(budget)}).text
    assert f'<a href="/tracks/{ENDGAME}/' in text


def test_programs_get_the_same_figures(site: Site, client: httpx.Client) -> None:
    whole = site.rooms.catalogue.coverage()
    budget = whole.points[-1].curve_bytes // 2
    answer, found = client.get(f"/api/coverage/kept?budget={budget}").json(), site.rooms.catalogue.kept_within(budget)
    assert (answer["kept"], answer["kept_bytes"], answer["missing"]) == (
        found.kept.count,
        found.kept.file_bytes,
        found.kept.missing_count,
    )
    assert (answer["share"], answer["share_low"], answer["share_high"]) == (found.kept.share, found.low, found.high)
    assert [each["title"] for each in answer["last"]] == [each.title for each in found.last]
    curve = client.get("/api/coverage").json()
    assert curve["held_bytes"] == whole.held_bytes
    assert [each["share_low"] for each in curve["points"]] == [point.listening_low for point in whole.points]
    for wrong in ("", "much", "9" * 41, "10PB"):
        refused = client.get("/api/coverage/kept", params={"budget": wrong})
        assert refused.status_code in (400, 422)
        assert refused.headers["content-type"] == "application/problem+json"
