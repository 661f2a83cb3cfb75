"""EBU R 128 loudness in the same pass as the decode, by FFmpeg's `ebur128` filter."""

from __future__ import annotations

import math

import av
import av.error
import av.filter

from fonoteca.model.audio import Loudness

RATE_HZ_MAX = 192_000
"""Sound above this rate is resampled first: DSD carries shaped noise up there that no one hears and the filter would weigh."""

RESAMPLED_HZ = 48_000
SILENCE_LUFS = -70.0
"""The absolute gate (ITU-R BS.1770-5 annex 1): what the filter reports where no block passed it."""

RANGE_BLOCKS_MIN = 50
"""Blocks of 100 ms below which no range is given: under 3.5 s the filter reports a fixed 20 LU (its percentiles fall between
too few windows of 3 s), and 5 s give it 21 of them."""


class LoudnessMeter:
    """Takes decoded frames of one shape and gives their loudness at the end.

    Sample peak, not true peak: true peak costs twice the time of the whole decode. The peak covers whole blocks of 100 ms,
    and comes with three decimals of full scale: to 0.1 dB above -28 dBFS.
    """

    __slots__ = ("_blocks", "_entry", "_exit", "_graph", "_readings")

    def __init__(self, frame: av.AudioFrame) -> None:
        self._graph = av.filter.Graph()
        self._entry = self._graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format.name,
            layout=frame.layout.name,
            time_base=f"1/{frame.sample_rate}",  # type: ignore[arg-type]
        )
        last = self._entry
        if frame.sample_rate > RATE_HZ_MAX:
            resampler = self._graph.add("aresample", str(RESAMPLED_HZ))
            last.link_to(resampler)
            last = resampler
        meter = self._graph.add("ebur128", "peak=sample:metadata=1:framelog=quiet")
        self._exit = self._graph.add("abuffersink")
        last.link_to(meter)
        meter.link_to(self._exit)
        self._graph.configure()
        self._readings: dict[str, str] = {}
        self._blocks = 0

    def push(self, frame: av.AudioFrame) -> None:
        """Take the next frame."""
        frame.pts = None
        self._entry.push(frame)
        self._drain()

    def finish(self) -> Loudness:
        """Return the loudness of all frames taken. No frame may follow."""
        self._entry.push(None)
        self._drain()
        integrated = float(self._readings.get("lavfi.r128.I", "-inf"))
        peak = float(self._readings.get("lavfi.r128.sample_peak", "0"))
        loud = integrated > SILENCE_LUFS
        return Loudness(
            integrated_lufs=integrated if loud else None,
            range_lu=float(self._readings["lavfi.r128.LRA"]) if loud and self._blocks >= RANGE_BLOCKS_MIN else None,
            sample_peak_dbfs=round(20 * math.log10(peak), 1) if peak > 0 else None,
        )

    def _drain(self) -> None:
        """Keep the newest reading; the filter attaches one to every whole block of 100 ms."""
        while True:
            try:
                block = self._exit.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            if block.metadata:
                self._readings = block.metadata
                self._blocks += 1
