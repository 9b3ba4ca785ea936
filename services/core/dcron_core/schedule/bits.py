"""Sets of small numbers as one integer, whose bit n stands for n."""

from collections.abc import Iterable


def bits(numbers: Iterable[int]) -> int:
    """Return the set of these numbers."""
    found = 0
    for number in numbers:
        found |= 1 << number
    return found


def lowest(numbers: int) -> int:
    """Return the lowest number in a set that is not empty."""
    return (numbers & -numbers).bit_length() - 1
