"""Scripts that start processes of all kinds, and what became of those."""

import asyncio
import os
from pathlib import Path

from dcron_worker.process_table import readable

# Each process writes its id into $PIDS and goes on for ever. `exec` makes sure that the shell is the process.
STUBBORN = 'trap "" TERM HUP INT; echo $$ >> "$PIDS"; while :; do sleep 0.2; done'
_SCRIPT = """
cat > "$PIDS.sh" <<'END'
{stubborn}
END
cat > "$PIDS.deep" <<'END'
if [ "$1" -gt 0 ]; then sh "$PIDS.deep" $(($1 - 1)) & fi
. "$PIDS.sh"
END
sh "$PIDS.deep" 4 &                                    # five generations
( ( sh "$PIDS.sh" & ) & )                              # forked twice: an orphan at once
( setsid sh "$PIDS.sh" & )                             # an orphan in a session of its own
setsid sh -c 'setsid sh "$PIDS.sh" & wait' &           # and a session within a session
env -i PIDS="$PIDS" PATH="$PATH" setsid sh "$PIDS.sh" &  # no mark, another session, but a child
nohup sh "$PIDS.sh" >/dev/null 2>&1 </dev/null &       # nothing of ours is open
. "$PIDS.sh"
"""
TREE = _SCRIPT.format(stubborn=STUBBORN)
TREE_SIZE = 11


async def tree_in(pids: Path, size: int = TREE_SIZE) -> list[int]:
    """Wait until the whole tree is there; return the ids of its processes."""
    while not pids.exists() or len(pids.read_text().split()) < size:
        await asyncio.sleep(0.02)
    return [int(pid) for pid in pids.read_text().split()]


async def are_gone(pids: list[int]) -> None:
    """Wait until none of the processes runs."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            await readable(descriptor)
        finally:
            os.close(descriptor)
