"""Is it sound, is it whole, is it music: one full decode answers, after a check that nothing protects the file.

The only room that imports PyAV and mutagen.
"""

from fonoteca.audio.artwork import artwork_type
from fonoteca.audio.examination import examine, judge, judge_unheard, verdict_on
from fonoteca.audio.peaks import peaks
from fonoteca.audio.pictures import CONTENT_BYTES_MAX, Shrunk, shrunk
from fonoteca.audio.tags import read_tags
from fonoteca.audio.transcoding import ENCODERS, Format, Rendition, transcode
from fonoteca.model.audio import Examined, Protected

__all__ = [
    "CONTENT_BYTES_MAX",
    "ENCODERS",
    "Examined",
    "Format",
    "Protected",
    "Rendition",
    "Shrunk",
    "artwork_type",
    "examine",
    "judge",
    "judge_unheard",
    "peaks",
    "read_tags",
    "shrunk",
    "transcode",
    "verdict_on",
]
