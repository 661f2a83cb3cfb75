"""A cover for what has none: drawn from the object's id, always the same, and never taken for artwork."""

from __future__ import annotations

import hashlib

from markupsafe import Markup

_GROOVES = 9
_SIDE = 160


def drawn_cover(object_id: str) -> Markup:
    """Return an SVG of a record's grooves: its hue, its light and the gaps between tracks follow from the id.

    Only numbers computed here go into the markup. Each byte of the digest is a matter of looks and of nothing else.
    """
    digest = hashlib.sha256(object_id.encode()).digest()
    hue = digest[0] * 360 // 256
    ground = f"hsl({hue} 28% {20 + digest[1] % 10}%)"
    parts = [
        f'<svg class="drawn" viewBox="0 0 {_SIDE} {_SIDE}" aria-hidden="true" focusable="false">',
        f'<rect width="{_SIDE}" height="{_SIDE}" fill="{ground}"/>',
    ]
    centre_x, centre_y = 30 + digest[2] * 100 // 256, 30 + digest[3] * 100 // 256
    for ring in range(_GROOVES):
        radius = 14 + ring * 17 + digest[4 + ring] % 9
        light = 46 + digest[16 + ring] % 30
        length = 2 * 3.1416 * radius
        dash = length * (0.35 + digest[24 + ring % 8] / 600)
        stroke = f"hsl({(hue + 14 * ring) % 360} 45% {light}%)"
        parts.append(
            f'<circle cx="{centre_x}" cy="{centre_y}" r="{radius}" fill="none" stroke="{stroke}" '
            f'stroke-width="{2 + digest[10 + ring] % 7}" stroke-dasharray="{dash:.0f} {length - dash:.0f}" '
            f'transform="rotate({digest[ring] * 360 // 256} {centre_x} {centre_y})"/>'
        )
    parts.append(f'<circle cx="{centre_x}" cy="{centre_y}" r="5" fill="hsl({hue} 30% 88%)"/></svg>')
    return Markup("".join(parts))
