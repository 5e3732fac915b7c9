"""Places on a page as it is shown: a page may be turned by quarters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, in points from the lower left corner."""
Turn = Callable[[Box], Box]


def upright(box: Box) -> Box:
    return box


def turning(page: Any) -> Turn:
    """The function from places on the page to those of the page as it is shown; `upright` where it is not
    turned."""
    low_x, low_y, high_x, high_y = page.get_mediabox()

    def quarter(box: Box) -> Box:
        left, bottom, right, top = box
        return bottom - low_y, high_x - right, top - low_y, high_x - left

    def half(box: Box) -> Box:
        left, bottom, right, top = box
        return high_x - right, high_y - top, high_x - left, high_y - bottom

    def three_quarters(box: Box) -> Box:
        left, bottom, right, top = box
        return high_y - top, left - low_x, high_y - bottom, right - low_x

    return {90: quarter, 180: half, 270: three_quarters}.get(page.get_rotation(), upright)
