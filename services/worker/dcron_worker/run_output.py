"""One run's output on its way to the spool: masked, bounded, numbered, and cut where the spool has no room.

The numbers have no gap, whatever is left out. Where the spool had no room (Kafka is away for long, or the disk is
full), a line says how much is missing, as it does where the job's limit cut the output. How much was left out in
all is in the record of the run's end.
"""

from datetime import datetime

from msgspec.structs import replace

from dcron_schemas.records import Execution, OutputChunk
from dcron_worker.entries import Entries
from dcron_worker.mask import Mask, MaskedText
from dcron_worker.metrics import WorkerMetrics
from dcron_worker.output import CHUNK_BYTES, Chunk, Stream
from dcron_worker.output_bound import OutputBound


class RunOutput:
    """Takes what a run writes."""

    def __init__(
        self, execution: Execution, bound: OutputBound, entries: Entries, metrics: WorkerMetrics, mask: Mask
    ) -> None:
        self._execution = execution
        self._bound = bound
        self._entries = entries
        self._metrics = metrics
        self._masked: dict[Stream, MaskedText] = (
            {"stdout": MaskedText(mask), "stderr": MaskedText(mask)} if mask else {}
        )
        self._seq = 0
        self._cut_bytes = 0  # by the spool
        self._missing: dict[Stream, int] = {}  # of those bytes, the ones that no line tells of yet

    @property
    def chunks(self) -> int:
        """How many chunks are on the spool."""
        return self._seq

    @property
    def cut_bytes(self) -> int:
        """How many bytes were left out, by the job's limit or for want of room."""
        return self._bound.left_out + self._cut_bytes

    def take(self, chunk: Chunk) -> None:
        """Take one chunk."""
        if self._masked:
            chunk = replace(chunk, text=self._masked[chunk.stream].take(chunk.text))
        self._bounded(chunk)

    def end(self, at: datetime) -> None:
        """Nothing more comes."""
        for stream, masked in self._masked.items():
            self._bounded(Chunk(0, stream, at, masked.take("", last=True)))
        self._tell(at, expendable=False)
        for mark in self._bound.marks():
            self._write(mark, expendable=False)
        for piece in self._bound.tail():
            self._put(piece)
        self._tell(at, expendable=False)
        self._metrics.output_cut.labels("limit").inc(self._bound.left_out)

    def _bounded(self, chunk: Chunk) -> None:
        if len(chunk.text) > CHUNK_BYTES:  # with what was held back before it
            for begin in range(0, len(chunk.text), CHUNK_BYTES):
                self._bounded(replace(chunk, text=chunk.text[begin : begin + CHUNK_BYTES]))
            return
        for piece in self._bound.take(chunk):
            self._put(piece)

    def _put(self, chunk: Chunk) -> None:
        if self._tell(chunk.at) and self._write(chunk):
            return
        size = len(chunk.text.encode())
        self._missing[chunk.stream] = self._missing.get(chunk.stream, 0) + size
        self._cut_bytes += size
        self._metrics.output_cut.labels("spool").inc(size)

    def _tell(self, at: datetime, *, expendable: bool = True) -> bool:
        """Say what is missing here; False: there is no room for that either."""
        for stream, size in list(self._missing.items()):
            text = f"\n[dcron: {size} bytes of {stream} left out here, the worker's spool was full]\n"
            if not self._write(Chunk(0, stream, at, text), expendable=expendable):
                return False
            del self._missing[stream]
        return True

    def _write(self, chunk: Chunk, *, expendable: bool = True) -> bool:
        record = OutputChunk(
            execution_id=self._execution.execution_id,
            job_id=self._execution.job_id,
            seq=self._seq,
            stream=chunk.stream,
            at=chunk.at,
            text=chunk.text,
        )
        if not self._entries.output(record, expendable=expendable):
            return False
        self._seq += 1
        return True
