"""The look of the deck: its colours, fonts, sizes and grid. Lengths are in points."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH, HEIGHT = 960.0, 540.0  # 16:9

INK = "1F2A33"
GREY = "5B6874"
HAIRLINE = "D5DBE0"
PALE = "EEF3F5"
ACCENT = "0B6E80"
ACCENT_LIGHT = "8CC3CC"
BAR = "B8C2C9"
AGAINST = "C4501B"

# On Windows and macOS; Liberation Sans has the same widths elsewhere. East Asian text falls back to whatever there is.
LATIN = "Arial"
EAST_ASIAN = "Microsoft YaHei"

ONE_LINE_SIZES = (28, 27, 26, 25, 24)
TITLE_SIZES = (26, 24, 22, 20)
BODY_SIZES = (20, 18, 17, 16, 15, 14, 13, 12)
CAPTION_SIZES = (16, 15, 14, 13, 12, 11)
TABLE_SIZES = (18, 17, 16, 15, 14, 13, 12, 11)
SMALL = 11


@dataclass(frozen=True)
class Box:
    """A rectangle on the slide."""

    left: float
    top: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        """Return the lower edge."""
        return self.top + self.height

    def columns(self, *shares: float, gap: float = 24) -> tuple[Box, ...]:
        """Cut the box into columns whose widths stand to each other as `shares`."""
        room = self.width - gap * (len(shares) - 1)
        boxes, left = [], self.left
        for share in shares:
            wide = room * share / sum(shares)
            boxes.append(Box(left, self.top, wide, self.height))
            left += wide + gap
        return tuple(boxes)

    def rows(self, *shares: float, gap: float = 16) -> tuple[Box, ...]:
        """Cut the box into rows whose heights stand to each other as `shares`."""
        room = self.height - gap * (len(shares) - 1)
        boxes, top = [], self.top
        for share in shares:
            high = room * share / sum(shares)
            boxes.append(Box(self.left, top, self.width, high))
            top += high + gap
        return tuple(boxes)

    def top_part(self, height: float, gap: float = 12) -> tuple[Box, Box]:
        """Cut a row of `height` off the top and return it with what is left."""
        rest = self.height - height - gap
        return (
            Box(self.left, self.top, self.width, height),
            Box(self.left, self.top + height + gap, self.width, rest),
        )

    def inner(self, horizontal: float, vertical: float) -> Box:
        """Return the box less a margin on each side."""
        return Box(
            self.left + horizontal,
            self.top + vertical,
            self.width - 2 * horizontal,
            self.height - 2 * vertical,
        )

    def fitted(self, aspect: float) -> Box:
        """Return the largest box of `aspect` (width / height) inside, centred."""
        wide = min(self.width, self.height * aspect)
        high = wide / aspect
        return Box(
            self.left + (self.width - wide) / 2, self.top + (self.height - high) / 2, wide, high
        )


KICKER = Box(48, 24, 864, 20)
TITLE = Box(48, 46, 864, 76)
ONE_LINE = 41.0
BELOW_TITLE = 14.0
BODY = Box(48, 136, 864, 358)
FOOTER = Box(48, 509, 700, 17)
NUMBER = Box(832, 509, 80, 17)
