"""Frames as text, each encoded once however many viewers it goes to.

Viewers of one run see equal frames at about the same time. What was encoded last is kept, bounded in bytes.
"""

from collections import OrderedDict
from collections.abc import Callable

import msgspec

from dcron_schemas.api import Frame

KEPT_BYTES = 8 << 20


class FrameTexts:
    """The JSON text of frames."""

    def __init__(self, encode: Callable[[Frame], bytes] = msgspec.json.encode, kept_bytes: int = KEPT_BYTES) -> None:
        self._encode = encode
        self._most_bytes = kept_bytes
        self._bytes = 0
        self._texts: OrderedDict[Frame, str] = OrderedDict()

    def of(self, frame: Frame) -> str:
        """Return the frame's text."""
        text = self._texts.get(frame)
        if text is None:
            text = self._encode(frame).decode()
            self._texts[frame] = text
            self._bytes += len(text)
            while self._bytes > self._most_bytes:
                self._bytes -= len(self._texts.popitem(last=False)[1])
        return text
