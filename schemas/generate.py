"""The JSON Schemas in `schemas/json`, generated from the Structs; with `--check`, held against them.

One document for each use. A change of a Struct shows as a change of a document, so that whoever reviews it
sees what crosses a process boundary differently; `schemas/README.md` says what may change and how.
"""

import argparse
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from dcron_schemas import api, audit, dead_letters, events, identity, job, records, state, workers

FOLDER = Path(__file__).resolve().parent / "json"
COMMAND = "python schemas/generate.py"

# Document → (title, description, what it may hold).
DOCUMENTS: dict[str, tuple[str, str, tuple[Any, ...]]] = {
    "job.json": ("A job", "What people write in YAML or JSON.", (job.JobSpec,)),
    "job-events.json": ("An event about a job", "A record of the Kafka topic cron.job-events.", (events.JobEvent,)),
    "executions.json": ("A record about a run", "A record of cron.executions.", (records.ExecutionRecord,)),
    "state.json": (
        "A value in etcd",
        "The description of each definition names its key.",
        (
            state.ActiveRun,
            state.ClockBeat,
            state.DependencyMarks,
            state.DrainWanted,
            state.ExecutionEntry,
            state.JobEntry,
            state.KillWanted,
            state.Projection,
            identity.ApiTokenEntry,
            identity.SecretEntry,
            identity.UserEntry,
            state.RunWanted,
            state.TickCursor,
            state.WorkerEntry,
        ),
    ),
    "api.json": (
        "A body of the HTTP APIs, or a frame of a websocket",
        "Errors are Problems.",
        (
            api.CommandOutcome,
            api.DependencyGraph,
            api.ExecutionList,
            api.ExecutionView,
            api.FeedFrame,
            api.Frame,
            api.Info,
            api.Job,
            api.JobFacets,
            api.JobList,
            api.OutputPage,
            api.Preview,
            api.Forecast,
            api.Pipeline,
            api.Problem,
            api.RecentRunsList,
            api.RunAccepted,
            api.SkippedTickList,
            api.Stats,
            dead_letters.DeadLetterDetail,
            dead_letters.DeadLetterList,
            dead_letters.ReplayResult,
            dead_letters.ReplayWanted,
            workers.WorkerList,
        ),
    ),
    "identity.json": (
        "A body of the HTTP API about who may do what",
        "Sessions, users, tokens, secrets, keys.",
        (
            identity.AccessToken,
            identity.ApiTokenList,
            identity.ApiTokenMade,
            identity.GrantsWanted,
            identity.LoginLink,
            identity.NewApiToken,
            identity.NewUser,
            identity.PasswordWanted,
            identity.PublicKeys,
            identity.SecretList,
            identity.SecretWanted,
            identity.Session,
            identity.UserList,
        ),
    ),
    "audit.json": (
        "A body of the HTTP APIs about the log",
        "Versions, time travel, events, the chain, the ledger.",
        (
            audit.ChainHead,
            audit.Crontab,
            audit.CrontabDifference,
            audit.DeletedJobList,
            audit.EventList,
            audit.JobHistory,
            audit.Ledger,
            audit.RecordSkip,
            audit.RecordSkipped,
            audit.Restore,
            audit.RestorePlan,
            audit.RestoreResult,
            audit.Revert,
            audit.Verification,
        ),
    ),
}


def document(title: str, description: str, kinds: tuple[Any, ...]) -> str:
    """Return one JSON Schema as text: fields in the order of the Structs, definitions by name."""
    roots, definitions = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    root = roots[0] if len(roots) == 1 else {"anyOf": list(roots)}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": description,
        **root,
        "$defs": {name: _tidy(definition) for name, definition in sorted(definitions.items())},
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _tidy(definition: dict[str, Any]) -> dict[str, Any]:
    """Take the indentation of the source out of a docstring."""
    return definition | {"description": inspect.cleandoc(definition.get("description", ""))}


def drifted(folder: Path, documents: dict[str, str]) -> list[str]:
    """Return a line for each file in `folder` that is not what the Structs say."""
    problems = []
    for name, text in documents.items():
        file = folder / name
        if not file.exists():
            problems.append(f"{file}: is missing")
        elif file.read_text(encoding="utf-8") != text:
            problems.append(f"{file}: is not what the Structs in schemas/dcron_schemas say")
    strangers = sorted(file for file in folder.glob("*.json") if file.name not in documents)
    return problems + [f"{file}: is not generated from anything" for file in strangers]


def main() -> int:
    """Write the documents, or compare them."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    arguments.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    documents = {name: document(*use) for name, use in DOCUMENTS.items()}
    if arguments.parse_args().check:
        problems = drifted(FOLDER, documents)
        sys.stderr.writelines(f"{problem}\n" for problem in problems)
        if problems:
            sys.stderr.write(f"mend it with `{COMMAND}` and commit the result; schemas/README.md has the rules\n")
        return 1 if problems else 0
    FOLDER.mkdir(exist_ok=True)
    for name, text in documents.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
