"""The catalogue's charts, each defined once in Altair: the same definition gives PNG, SVG and the Vega-Lite of web pages.

Not imported by the room itself: Altair takes most of a second to load, and few commands draw.
"""

from fonoteca.catalogue.charts.coverage import coverage_png, coverage_spec, coverage_svg
from fonoteca.catalogue.charts.gallery import CHARTS, ChartKind
from fonoteca.catalogue.charts.look import DARK, LIGHT, Look, png_of, spec_of
from fonoteca.catalogue.charts.page import write_gallery

__all__ = [
    "CHARTS",
    "DARK",
    "LIGHT",
    "ChartKind",
    "Look",
    "coverage_png",
    "coverage_spec",
    "coverage_svg",
    "png_of",
    "spec_of",
    "write_gallery",
]
