"""Secrets, made unreadable in what a run writes: each becomes `***`, wherever the output is cut on its way.

Masked is each value, each line of one, and how they look in base64 (within longer text too, or broken into lines),
percent-encoded, and in JSON. What is shorter than LEAST characters would be found everywhere, and is not masked; the
same goes for base64 of less than LEAST_BASE64. What a program does to a value otherwise, a mask cannot know.

A character is masked when it is part of any occurrence; neighbours become one `***`. Held back is only what may be the
beginning of an occurrence, until more comes: so live output is as fresh as without secrets, and nothing changes with
where it is cut.
"""

import re
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from json import dumps
from urllib.parse import quote

MASKED = "***"
LEAST = 4  # characters
LEAST_BASE64 = 8
BASE64_WIDTHS = (64, 76)  # of the lines that openssl and base64 break a long one into
MOST_SEARCHES = 128  # beyond that, one look at each character is quicker
FEW = 4

Span = tuple[int, int]  # from, to


class Mask:
    """What is to be masked."""

    def __init__(self, values: Iterable[str]) -> None:
        self._patterns = sorted({shape for value in values for shape in _shapes(value)})
        by_beginning: dict[str, dict[int, set[str]]] = {}
        for pattern in self._patterns:
            by_beginning.setdefault(pattern[:LEAST], {}).setdefault(len(pattern), set()).add(pattern)
        self._by_beginning = {
            beginning: sorted(by_length.items(), reverse=True) for beginning, by_length in by_beginning.items()
        }
        self._longest = max(map(len, self._patterns), default=0)

    def __bool__(self) -> bool:
        return bool(self._patterns)

    def of(self, text: str) -> str:
        """Return a whole text, masked."""
        return MaskedText(self).take(text, last=True)

    def look(self, text: str) -> tuple[list[Span], int]:
        """Return where the text is to be masked, and from where on something may begin that is not complete yet."""
        found: list[Span] = []
        begun = len(text)
        for at in self._hits(text):
            for length, patterns in self._by_beginning[text[at : at + LEAST]]:
                if _stands_at(text, at, length, patterns):
                    found.append((at, at + length))
                    break
            if at < begun and self._may_begin(text, at):
                begun = at
        for at in range(max(0, len(text) - LEAST + 1), len(text)):
            if at < begun and self._may_begin(text, at):
                begun = at
        return _joined(found), begun

    def _hits(self, text: str) -> Iterator[int]:
        """Give each place where a pattern's first characters stand."""
        if len(self._by_beginning) > MOST_SEARCHES:
            yield from (at for at in range(len(text) - LEAST + 1) if text[at : at + LEAST] in self._by_beginning)
            return
        for beginning in self._by_beginning:
            at = text.find(beginning)
            while at >= 0:
                yield at
                at = text.find(beginning, at + 1)

    def _may_begin(self, text: str, at: int) -> bool:
        """Tell whether all that follows is the beginning of a longer pattern."""
        if len(text) - at >= self._longest:
            return False
        rest = text[at:]
        nearest = bisect_right(self._patterns, rest)
        return nearest < len(self._patterns) and self._patterns[nearest].startswith(rest)


class MaskedText:
    """One stream, masked piece by piece."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._context = ""  # in which something may have begun
        self._told = 0  # how many characters of it are masked whatever comes, and were given back so
        self._is_masked = False  # the last character that was given back

    def take(self, text: str, *, last: bool = False) -> str:
        """Take a piece in; give back what is certain, with the last one everything."""
        text = self._context + text
        spans, held = self._mask.look(text)
        if last:
            held = len(text)
        certain = next((end for begin, end in spans if begin <= held < end), held)
        given = self._given(text, spans, max(certain, self._told))
        self._told = max(certain, self._told) - held
        self._context = text[held:]
        return given

    def _given(self, text: str, spans: Sequence[Span], certain: int) -> str:
        pieces = []
        at = self._told
        for begin, end in spans:
            if end <= at or begin >= certain:
                continue
            if begin > at:
                pieces.append(text[at:begin])
                self._is_masked = False
            if not self._is_masked:
                pieces.append(MASKED)
                self._is_masked = True
            at = end
        if at < certain:
            pieces.append(text[at:certain])
            self._is_masked = False
        return "".join(pieces)


def _stands_at(text: str, at: int, length: int, patterns: set[str]) -> bool:
    """Tell whether one of the patterns, all of that length, is there."""
    if len(patterns) <= FEW:  # nearly always: then nothing is copied
        return any(text.startswith(pattern, at) for pattern in patterns)
    return text[at : at + length] in patterns


def _joined(spans: list[Span]) -> list[Span]:
    """Return the same in order, those that touch as one."""
    joined: list[Span] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return joined


def _shapes(value: str) -> Iterator[str]:
    """Give what is to be masked of one value."""
    whole = value.strip("\r\n")
    for text in {value if len(whole) < LEAST else whole, *re.split(r"[\r\n]+", value)}:
        if len(text) >= LEAST:
            yield text
            yield quote(text, safe="")
            yield dumps(text)[1:-1]
            yield dumps(text, ensure_ascii=False)[1:-1]
    yield from (text for text in _base64_shapes(value.encode()) if len(text) >= LEAST_BASE64)


def _base64_shapes(data: bytes) -> Iterator[str]:
    """Give the characters of base64 that are the same whatever stands before and after the data."""
    for before in range(3):
        characters = b64encode(b"\0" * before + data).decode().rstrip("=")
        certain = characters[(0, 2, 3)[before] : (before + len(data)) * 8 // 6]
        yield certain
        yield certain.translate({ord("+"): "-", ord("/"): "_"})
        if before == 0:
            for width in BASE64_WIDTHS:
                yield from (certain[begin : begin + width] for begin in range(0, len(certain), width))
