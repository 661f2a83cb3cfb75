"""What a synthetic catalogue is made from: size, seed, and every rate, each with where it is from."""

from __future__ import annotations

from dataclasses import dataclass

from fonoteca.catalogue.synth.chance import deck_mean
from fonoteca.model.errors import UsageError

PEER_TRACKS, PEER_RELEASES, PEER_ARTISTS, PEER_ISRCS = 256_039_007, 58_590_982, 15_430_442, 186_000_000
"""The largest catalogue known, announced 2025-12-20 (its published statistics)."""
TRACKS_MIN, TRACKS_MAX = 1_000, 1_000_000_000
"""Fewer have no shape; more would not fit the numbers' 32 bits with room to spare."""
ROW_GROUP_ROWS = 122_880
"""DuckDB's own row group."""
FILE_ROWS = 136 * ROW_GROUP_ROWS
"""About 16.7 M rows a file: 16 files at full size."""

ORIGINAL, EDITION, SINGLE, COMPILATION, LIVE = range(5)
"""Kinds of release. Only originals (and what others add) have new recordings; made up, solved for 186 M ISRCs in 256 M tracks."""
KIND_SHARES = {EDITION: 0.145, SINGLE: 0.15, COMPILATION: 0.024, LIVE: 0.04}

SINGLE_SIZES = {1: 0.6, 2: 0.3, 3: 0.1}
COMPILATION_SIZES = {8: 0.1, 10: 0.15, 12: 0.2, 15: 0.15, 18: 0.1, 20: 0.15, 25: 0.08, 40: 0.07}
BONUS_SIZES = {0: 0.7, 1: 0.15, 2: 0.1, 3: 0.05}
ALBUM_SIZES = {
    2: 0.07, 3: 0.05, 4: 0.06, 5: 0.05, 6: 0.04, 7: 0.025, 8: 0.03, 9: 0.03, 10: 0.045, 11: 0.03, 12: 0.035, 13: 0.015,
    14: 0.012, 15: 0.008, 16: 0.005, 18: 0.004, 20: 0.004, 25: 0.002, 30: 0.001, 40: 0.0005,
}  # fmt: skip
"""Tracks of an original release of more than one: the shape of ccmusic's releases.csv, thinned for singles; how many have one
track is solved for 256,039,007 tracks on 58,590,982 releases."""

SHARE_SIGMA = 3.0755
"""Of ln(share): a log-normal in which 33.6 % of recordings carry 99.6 % (Phi(z(0.664) - sigma) = 0.004). The same sigma puts
49 % on the first 0.1 %, "most listens" as the peer says, and 70 % of tracks below 4.4 % of the mean, which is 1,000 streams
when the mean is 22,600."""
ARTIST_WEIGHT, RELEASE_WEIGHT, TRACK_WEIGHT = 1.0, 0.6, 0.8
"""What decides a recording's place, as in `catalogue.synthetic`; made up, the artist first."""

NO_ISRC, WRONG_ISRC, LIVE_TAKES_ISRC = 0.025, 0.004, 0.02
"""Recordings without an ISRC; with that of the next track; live takes under the ISRC of the studio take. Made up."""
COPY_NO_ISRC, COPY_OTHER_ISRC, EDITION_OTHER_ISRC = 0.02, 0.051, 0.06
"""Copies whose row gives none; or another; and whole editions registered anew. Made up, solved for 186 M."""
MBID_ROWS = 0.15
"""Rows with an MBID: about as many as MusicBrainz has recordings (35 to 40 M) for the peer's 256 M. Only a recording's home row has
one: an import takes a second row with the same id for a repeat."""
LOVED_MBIDS = 1.7
"""MBIDs go to loved recordings more often, by this factor (others have 2 less this). Made up."""
COVERS, COMMON_TITLES, GUESTS = 0.03, 0.015, 0.08
"""Recordings that are a cover; that are called Intro and the like; that name a guest. Made up."""


@dataclass(frozen=True, slots=True)
class SynthSettings:
    """How large a synthetic catalogue is, and how much of its listening is seen.

    tracks: rows. seed: of all chance. listens_per_track: listens in the history, for each row; at full size 4.0 makes about a
    thousand million, as many as ListenBrainz has. plays_per_listener: listens of one person in the history.
    """

    tracks: int
    seed: int = 1
    listens_per_track: float = 4.0
    plays_per_listener: float = 5_000.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not TRACKS_MIN <= self.tracks <= TRACKS_MAX:
            raise UsageError("synthetic catalogue", f"tracks is {self.tracks}", f"Use {TRACKS_MIN} to {TRACKS_MAX}.")
        if self.listens_per_track <= 0 or self.plays_per_listener < 1:
            raise UsageError("synthetic catalogue", "listens_per_track and plays_per_listener must be above 0 and at least 1")

    @property
    def releases(self) -> int:
        """Releases: as many for each track as the peer has."""
        return round(self.tracks * PEER_RELEASES / PEER_TRACKS)

    @property
    def artists(self) -> int:
        """Artists: as many for each track as the peer has."""
        return round(self.tracks * PEER_ARTISTS / PEER_TRACKS)

    @property
    def listeners(self) -> int:
        """People in the history."""
        return max(50, round(self.tracks * self.listens_per_track / self.plays_per_listener))

    @property
    def home_share(self) -> float:
        """Rows that are the first of their recording, of all; expected."""
        edition, single, compilation = (KIND_SHARES[kind] for kind in (EDITION, SINGLE, COMPILATION))
        original = deck_mean(self.original_sizes())
        copies = edition * original + single + compilation * deck_mean(COMPILATION_SIZES)
        return 1 - copies * self.releases / self.tracks

    def original_sizes(self) -> dict[int, float]:
        """Return the weights of an original release's track counts, solved so that all releases together have the tracks.

        A little short of it (four standard errors), because what is missing can be added exactly and what is over cannot be cut.
        """
        spare = 4 * 5.5 / self.releases**0.5
        followers = KIND_SHARES[EDITION] + KIND_SHARES[LIVE]
        fixed = (
            KIND_SHARES[SINGLE] * deck_mean(SINGLE_SIZES)
            + KIND_SHARES[COMPILATION] * deck_mean(COMPILATION_SIZES)
            + KIND_SHARES[EDITION] * deck_mean(BONUS_SIZES)
        )
        originals = 1 - sum(KIND_SHARES.values())
        mean = max(1.2, (self.tracks / self.releases - spare - fixed) / (originals + followers))
        more = deck_mean(ALBUM_SIZES)
        single = (more - mean) / (more - 1)
        total = sum(ALBUM_SIZES.values())
        return {1: single, **{size: (1 - single) * weight / total for size, weight in ALBUM_SIZES.items()}}
