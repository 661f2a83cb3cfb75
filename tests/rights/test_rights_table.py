from __future__ import annotations

import pytest

from fonoteca.model.rights import Act, Duty, Licence, Scheme
from fonoteca.rights import describe, find_licence, find_status, licence_named, licences
from fonoteca.rights.table import narrower, table, together

CC = "https://creativecommons.org/licenses/"
ALL = list(licences().values())
OF_CC = [licence for licence in ALL if licence.uri.startswith(CC)]


def elements(licence: Licence) -> set[str]:
    return set(licence.uri.removeprefix(CC).split("/")[0].split("-"))


def test_key_of_every_row_is_its_uri() -> None:
    assert all(uri == licence.uri for uri, licence in licences().items())
    assert len({licence.name for licence in ALL}) == len(ALL)


def test_every_version_and_port_of_creative_commons_has_a_row() -> None:
    ports = {"1.0": 3, "2.0": 18, "2.1": 4, "2.5": 28, "3.0": 43, "4.0": 0}  # counted in CC's own list of tools
    for version, count in ports.items():
        for unit in ("by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nd-nc" if version == "1.0" else "by-nc-nd"):
            rows = [licence for licence in ALL if licence.family == f"cc-{unit}" and licence.version == version]
            assert sum(1 for licence in rows if licence.jurisdiction) == count, (unit, version)
            assert any(not licence.jurisdiction for licence in rows) == (version != "2.1"), (unit, version)
    for path in (
        "by-nc-sa/2.1/jp/",
        "by/2.5/scotland/",
        "by-nc-nd/3.0/igo/",
        "by-nd-nc/1.0/fi/",
        "nc-sampling+/1.0/",
        "sa/2.0/jp/",
    ):
        assert CC + path in licences()


def test_noncommercial_prohibits_commerce_and_only_it_does() -> None:
    for licence in OF_CC:
        sampling = "sampling+" in licence.uri
        assert (Act.COMMERCIAL in licence.prohibits) == ("nc" in elements(licence) or sampling), licence.uri


def test_noderivatives_lacks_the_act_derive() -> None:
    for licence in OF_CC:
        assert (Act.DERIVE in licence.permits) == ("nd" not in elements(licence)), licence.uri


def test_sharealike_is_a_duty_of_what_may_be_changed() -> None:
    for licence in OF_CC:
        assert (Duty.SHARE_ALIKE in licence.requires) == ("sa" in elements(licence)), licence.uri
    assert all(Act.DERIVE in licence.permits for licence in ALL if Duty.SHARE_ALIKE in licence.requires)


def test_attribution_is_a_duty_where_the_licence_says_by() -> None:
    for licence in OF_CC:
        if not licence.review:
            assert (Duty.ATTRIBUTION in licence.requires) == ("by" in elements(licence)), licence.uri


def test_no_act_is_both_permitted_and_prohibited() -> None:
    assert all(not licence.permits & licence.prohibits for licence in ALL)


def test_whatever_may_be_shared_may_be_held() -> None:
    assert all(Act.HOLD in licence.permits for licence in ALL if Act.SHARE in licence.permits)


def test_retired_sampling_and_developing_nations_licences_want_a_person() -> None:
    retired = [licence for licence in OF_CC if "sampling" in licence.uri or "devnations" in licence.uri]
    assert len(retired) == 10
    assert all(licence.review for licence in retired)


@pytest.mark.parametrize(
    ("path", "clause"),
    [
        ("by-nd-nc/1.0/", "section 3"),
        ("by-nc-nd/2.0/de/", "section 3"),
        ("by-nc-nd/2.5/", "section 3"),
        ("by-nd/3.0/", "section 3"),
        ("by-nc-nd/4.0/", "section 2(a)(4)"),
        ("by-nc-nd/2.0/uk/", ""),  # these two allow any medium and name no modifications
        ("by-nc-nd/2.5/scotland/", ""),
        ("by-nc-nd/3.0/pl/", ""),  # not read
        ("by/4.0/", ""),  # adaptation is granted, no clause is needed
    ],
)
def test_format_change_rests_on_a_clause_that_was_read(path: str, clause: str) -> None:
    assert licences()[CC + path].format_change == clause


def test_every_name_and_address_of_the_table_leads_to_its_row() -> None:
    for name, uri in table().names.items():
        assert find_licence(name, Scheme.SPDX) == licences()[uri], name
    for address, uri in table().addresses.items():
        if not uri.startswith("urn:"):
            assert find_licence(f"http://www.{address}", Scheme.LICENCE_URI) == licences()[uri], address


def test_all_twelve_rights_statements_are_statuses_and_none_is_a_licence() -> None:
    ids = ["InC", "InC-OW-EU", "InC-EDU", "InC-NC", "InC-RUU", "NoC-CR", "NoC-NC", "NoC-OKLR", "NoC-US", "CNE", "UND", "NKC"]
    assert len(table().statuses) == len(ids) == 12
    for name in ids:
        for address in (
            f"http://rightsstatements.org/vocab/{name}/1.0/",
            f"https://rightsstatements.org/page/{name}/1.0/?language=de",
        ):
            assert find_status(address) is not None, address
            assert find_licence(address, Scheme.RIGHTS_STATEMENT) is None
            assert find_licence(address, Scheme.LICENCE_URI) is None
    assert find_status("http://rightsstatements.org/vocab/InC/2.0/") is None
    assert find_status(CC + "by/4.0/") is None


def test_wider_grants_are_rows_and_nothing_includes_itself() -> None:
    for uri, wider in table().within.items():
        assert uri not in wider
        assert wider <= set(licences())
        assert all(licences()[w].permits == licences()[uri].permits for w in wider)


def test_narrower_of_two_gnu_statements_is_the_one_both_offer() -> None:
    def row(name: str) -> Licence:
        return licences()[f"https://spdx.org/licenses/{name}.html"]

    assert narrower(row("GPL-1.0-or-later"), row("GPL-2.0-or-later")) == row("GPL-2.0-or-later")
    assert narrower(row("GPL-3.0-only"), row("GPL-2.0-or-later")) == row("GPL-3.0-only")
    assert narrower(row("GPL-2.0-only"), row("GPL-3.0-or-later")) is None
    assert narrower(row("GPL-2.0-only"), row("LGPL-2.0-only")) is None


def test_licences_together_grant_what_all_permit_and_ask_what_any_asks() -> None:
    nc, gpl = licences()[CC + "by-nc/3.0/"], licences()["https://spdx.org/licenses/GPL-2.0-or-later.html"]
    both = together([gpl, nc, gpl])
    assert both.permits == nc.permits
    assert both.requires == nc.requires | gpl.requires
    assert both.prohibits == {Act.COMMERCIAL}
    assert licence_named(both.uri) == both
    assert together([nc]) is nc
    assert licence_named(f"{nc.uri} AND https://nowhere.example/") is None


def test_description_says_what_may_and_must_be_done() -> None:
    assert describe(licences()[CC + "by-nc-nd/2.0/uk/"]) == "may be shared, not sold, not changed; credit the author"
    assert describe(licences()[CC + "by-nc-nd/4.0/"]) == "may be shared, not sold, changed in format only; credit the author"
    assert describe(licences()[CC + "by-sa/3.0/"]) == "may be shared, sold, changed; credit the author, share changes alike"
    assert describe(licences()[CC + "sampling/1.0/"]) == "may not be copied whole; credit the author"
    assert describe(licences()["https://creativecommons.org/publicdomain/zero/1.0/"]) == "may be shared, sold, changed"
    assert all("\n" not in describe(licence) for licence in ALL)
