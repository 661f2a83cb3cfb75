"""Is it sound, is it whole, is it music: one full decode answers, after a check that nothing protects the file.

The only room that imports PyAV and mutagen.
"""

from fonoteca.audio.artwork import artwork_type
from fonoteca.audio.examination import examine, judge, judge_unheard, verdict_on
from fonoteca.audio.tags import read_tags
from fonoteca.audio.transcoding import ENCODERS, Format, Rendition, transcode
from fonoteca.model.audio import Examined, Protected

__all__ = [
    "ENCODERS",
    "Examined",
    "Format",
    "Protected",
    "Rendition",
    "artwork_type",
    "examine",
    "judge",
    "judge_unheard",
    "read_tags",
    "transcode",
    "verdict_on",
]
