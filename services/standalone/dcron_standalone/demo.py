"""The example jobs of `dcron up --demo`."""

from pathlib import Path

from dcron_core.errors import DcronError
from dcron_standalone.client import Client
from dcron_standalone.job_commands import apply_specs
from dcron_standalone.job_files import read_jobs

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "demo"  # in a clone; a wheel has none


def apply_demo(client: Client) -> None:
    """Create the example jobs, or change them to what the examples say."""
    files = sorted(EXAMPLES.glob("*.yaml"))
    if not files:
        raise DcronError(f"the example jobs are not in {EXAMPLES}; --demo works in a clone of the repository")
    apply_specs(client, [spec for file in files for spec in read_jobs(str(file))])
