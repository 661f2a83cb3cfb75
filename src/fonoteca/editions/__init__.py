"""Can everyone else keep them too? Drops, manifests and editions.

The way of a drop: `plan_drops` (or a `SnapshotPlan`) says what goes into it, `member_list` is stored before anything is
out, `cut` makes the torrent from stored hashes, `Editions.publish` puts it out, and `read_edition` believes it elsewhere.
"""

from fonoteca.editions.choice import Choice, Option, Situation, Verdict, Why, choose, options_of
from fonoteca.editions.cutting import CutDrop, SnapshotPlan, cut, cut_snapshot, snapshot_of, snapshot_torrent_name
from fonoteca.editions.following import ManifestedDrop, check_drops, list_members, read_drop, read_edition, read_index
from fonoteca.editions.index import Heading, Index, IndexEntry, TargetFile
from fonoteca.editions.manifest import ManifestRow, rows_of_plan, rows_of_snapshot
from fonoteca.editions.memberlist import (
    DropRecord,
    ListedMember,
    MemberList,
    drop_record,
    listed,
    member_list_of,
    parse_drop_record,
    parse_member_list,
)
from fonoteca.editions.people import Announcement, magnet_of
from fonoteca.editions.planning import DropPlan, Offered, line_up, member_list, pack, place_of, plan_drops, restore_plan
from fonoteca.editions.promotion import Promotion, parse_promotion, promotion_json
from fonoteca.editions.publication import Editions, Publication, Terms
from fonoteca.editions.trust import (
    FIRST_USE,
    Anchor,
    Asked,
    Keyring,
    Signatory,
    TrustedEdition,
    Unkept,
    believe,
    believe_on,
    no_passphrase,
    offered_roots,
)

__all__ = [
    "FIRST_USE",
    "Anchor",
    "Announcement",
    "Asked",
    "Choice",
    "CutDrop",
    "DropPlan",
    "DropRecord",
    "Editions",
    "Heading",
    "Index",
    "IndexEntry",
    "Keyring",
    "ListedMember",
    "ManifestRow",
    "ManifestedDrop",
    "MemberList",
    "Offered",
    "Option",
    "Promotion",
    "Publication",
    "Signatory",
    "Situation",
    "SnapshotPlan",
    "TargetFile",
    "Terms",
    "TrustedEdition",
    "Unkept",
    "Verdict",
    "Why",
    "believe",
    "believe_on",
    "check_drops",
    "choose",
    "cut",
    "cut_snapshot",
    "drop_record",
    "line_up",
    "list_members",
    "listed",
    "magnet_of",
    "member_list",
    "member_list_of",
    "no_passphrase",
    "offered_roots",
    "options_of",
    "pack",
    "parse_drop_record",
    "parse_member_list",
    "parse_promotion",
    "place_of",
    "plan_drops",
    "promotion_json",
    "read_drop",
    "read_edition",
    "read_index",
    "restore_plan",
    "rows_of_plan",
    "rows_of_snapshot",
    "snapshot_of",
    "snapshot_torrent_name",
]
