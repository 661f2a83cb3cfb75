"""What shares of listening rest on: sources, dates, parameters; kept in snapshot.json, and enough for an interval of any sum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fonoteca.catalogue.popularity_mixture import Z_90

BASIS_METHOD = (
    "empirical Bayes by source: listeners a recording can expect from a Poisson mixture fitted in pools by artist, release and "
    "other sources, times credible plays a listener; unheard share by leaving each listener out; sources weighted by effective "
    "listeners; 90 % credible intervals"
)


@dataclass(frozen=True, slots=True)
class SourceBasis:
    """What one source says. pairs: (listener, recording) pairs. unheard_share: of its listening, 0 to 1, on what it never heard.

    listeners_counted: False where listeners were reckoned from listens. effective_listeners: independent observations of equal
    weight that say as much. pool_count: pools with a mixture of their own. plays_knots: (listeners of a recording, average plays
    of one); plays_within, plays_between: variances (popularity_plays).
    """

    name: str
    date: str
    synthetic: bool
    heard_count: int
    listens: int
    listeners_counted: bool
    pairs: int
    unheard_share: float
    effective_listeners: float
    pool_count: int
    plays_knots: tuple[tuple[float, float], ...]
    plays_within: float
    plays_between: float


@dataclass(frozen=True, slots=True)
class ListeningBasis:
    """What the shares of a snapshot rest on. sources: those with listening. unmatched_listens: of recordings not catalogued."""

    recording_count: int
    sources: tuple[SourceBasis, ...]
    unmatched_listens: int = 0

    @property
    def heard(self) -> bool:
        """Whether any listening is known."""
        return bool(self.sources)

    @property
    def synthetic(self) -> bool:
        """Whether any of the listening is made up: shares are of one whole, so then all are."""
        return any(source.synthetic for source in self.sources)

    @property
    def listens(self) -> int:
        """Listens of catalogued recordings, all sources'."""
        return sum(source.listens for source in self.sources)

    @property
    def effective_listeners(self) -> float:
        """Independent observations, all sources'."""
        return sum(source.effective_listeners for source in self.sources)

    @property
    def weights(self) -> tuple[float, ...]:
        """How much of each share each source decides; adds up to 1. Weights in proportion to information err least."""
        total = self.effective_listeners
        return tuple(source.effective_listeners / total for source in self.sources)

    @property
    def unheard_share(self) -> float:
        """The part of all listening that falls to recordings unheard by the source that speaks, averaged over sources."""
        return sum(weight * source.unheard_share for weight, source in zip(self.weights, self.sources, strict=True))

    def interval_of_sum(self, share: float) -> tuple[float, float]:
        """Return the 90 % credible interval of what some recordings together have of all listening, 0 to 1; it contains the share.

        Wilson's, on effective listeners. Without listening: anything may be true, (0, 1), but of none or all recordings.
        """
        return self._interval(share, self.effective_listeners)

    def predicted_sum(self, share: float, effective_listeners: float) -> tuple[float, float]:
        """Return the 90 % interval of what the same recordings will have in another history, a sample of so many listeners."""
        ours = self.effective_listeners
        return self._interval(share, ours * effective_listeners / (ours + effective_listeners) if self.heard else 0.0)

    def _interval(self, share: float, n: float) -> tuple[float, float]:
        if not self.heard:
            return (min(1.0, max(0.0, share)),) * 2 if share <= 0.0 or share >= 1.0 else (0.0, 1.0)
        share, z2 = min(1.0, max(0.0, share)), Z_90 * Z_90
        centre = (share + z2 / (2 * n)) / (1 + z2 / n)
        half = Z_90 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
        return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))

    def to_json(self) -> dict[str, Any]:
        """Return the basis as snapshot.json keeps it."""
        return {
            "method": BASIS_METHOD,
            "recording_count": self.recording_count,
            "unmatched_listens": self.unmatched_listens,
            "sources": [{**asdict(source), "weight": weight} for source, weight in zip(self.sources, self.weights, strict=True)],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> ListeningBasis:
        """Return the basis that `to_json` gave. Raises: KeyError or TypeError where it is none."""
        names = [name for name in SourceBasis.__dataclass_fields__ if name != "plays_knots"]
        sources = (
            SourceBasis(
                **{name: each[name] for name in names},
                plays_knots=tuple((float(listeners), float(plays)) for listeners, plays in each["plays_knots"]),
            )
            for each in kept["sources"]
        )
        return cls(kept["recording_count"], tuple(sources), kept["unmatched_listens"])
