"""The store's contract on documents in memory: for tests of what is around it."""

from dcron_log_ingester.batches import Batch, Document, applied, output_id
from dcron_log_ingester.errors import MongoUnavailableError, NotStorableError
from dcron_log_ingester.views import stored_piece
from dcron_schemas.api import OutputPiece


class MemoryRuns:
    """Keeps what is written; refuses texts in `refused`; does not answer while `down`."""

    def __init__(self) -> None:
        self.executions: dict[str, Document] = {}
        self.outputs: dict[str, Document] = {}
        self.ticks: dict[str, Document] = {}
        self.refused: set[str] = set()
        self.down = False
        self.writes = 0

    async def prepare(self) -> None:
        self._answer()

    async def write(self, batch: Batch) -> None:
        self._answer()
        self.writes += 1
        if self.refused & {document["text"] for document in batch.output}:
            raise NotStorableError("refused")
        for document in batch.output:
            self.outputs.setdefault(document["_id"], document)
        for document in batch.ticks:
            self.ticks.setdefault(document["_id"], document)
        for write in batch.executions:
            self.executions[write.execution_id] = applied(self.executions.get(write.execution_id), write)

    async def execution(self, execution_id: str) -> Document | None:
        self._answer()
        return self.executions.get(execution_id)

    async def output(self, execution_id: str, from_seq: int, limit: int) -> list[OutputPiece]:
        self._answer()
        ids = [output_id(execution_id, seq) for seq in range(from_seq, from_seq + limit)]
        return [stored_piece(self.outputs[each]) for each in ids if each in self.outputs]

    def _answer(self) -> None:
        if self.down:
            raise MongoUnavailableError("MongoDB does not answer")
