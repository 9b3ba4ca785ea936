"""A consumer group of a MemoryLog: who reads which partitions, and what is done."""


class Group:
    """Members share the partitions of one topic. Whenever one comes or goes, a new generation begins."""

    def __init__(self, partitions: int) -> None:
        self.generation = 0
        self.committed: dict[int, int] = {}  # partition → next offset to do; not there: the beginning
        self._partitions = partitions
        self._members: list[object] = []

    def join(self, member: object) -> None:
        self._members.append(member)
        self.generation += 1

    def leave(self, member: object) -> None:
        self._members.remove(member)
        self.generation += 1

    def partitions_of(self, member: object) -> list[int]:
        """Return the partitions that are the member's in this generation."""
        place = self._members.index(member)
        return list(range(place, self._partitions, len(self._members)))
