"""`python -m benchmarks [--only NAME]`: what dcron takes, beside what the machine gives."""

import signal
import sys

from cyclopts import App
from rich.console import Console

from benchmarks.harness import BENCHMARKS, run_benchmarks
from benchmarks.results import BenchmarkError
from dcron_core.errors import DcronError

app = App(name="benchmarks", help=__doc__)


@app.default
def main(*, only: str | None = None) -> None:
    """Run all benchmarks, or one; print tables and write benchmarks/results.json.

    Parameters
    ----------
    only
        The benchmark to run; the results of the others stay as they are.
    """
    if only is not None and only not in BENCHMARKS:
        sys.exit(f"there is no benchmark {only!r}; there are {', '.join(BENCHMARKS)}")
    # As on Ctrl-C, what was started is stopped and what was written removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))
    try:
        run_benchmarks([only] if only else list(BENCHMARKS), Console())
    except (BenchmarkError, DcronError) as error:
        sys.exit(f"benchmarks: {error}")


if __name__ == "__main__":
    app()
