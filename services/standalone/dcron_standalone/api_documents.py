"""What the services say of their APIs, as files: `python -m dcron_standalone.api_documents FOLDER`.

The page's types are generated from them, so that the page cannot believe in a field that no service sends.
Both services are asked for their own `/api/openapi.json`, each on stores in memory; no server is needed. A
third document holds the frames of the websockets, of which OpenAPI knows nothing.
"""

import argparse
import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import httpx
import msgspec

from dcron_core.adapters.memory import MemoryLog, MemoryStore
from dcron_core.clock import SystemClock
from dcron_core.ids import IdSource
from dcron_core.settings import LogIngesterSettings, MasterSettings
from dcron_log_ingester.service import open_log_ingester
from dcron_master.service import open_master
from dcron_schemas.api import FeedFrame, Frame

NO_MONGODB = "mongodb://127.0.0.1:1"  # nothing listens there; a log-ingester starts without, and knows its routes


async def documents() -> dict[str, Any]:
    """Return the documents by file name."""
    clock, ids = SystemClock(), IdSource()
    store, log = MemoryStore(clock), MemoryLog(clock)
    token = secrets.token_hex(16)
    master = msgspec.convert({"token": token, "master_port": 0}, MasterSettings)
    ingester = msgspec.convert({"token": token, "log_ingester_port": 0, "mongodb": NO_MONGODB}, LogIngesterSettings)
    async with open_master(master, store, log, clock, ids) as opened:
        of_master = await _own_document(opened.port, token)
    async with open_log_ingester(ingester, clock, ids, log) as service:
        of_ingester = await _own_document(service.port, token)
    return {"master.json": of_master, "log-ingester.json": of_ingester, "frames.json": _frames()}


async def _own_document(port: int, token: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(headers=headers, timeout=30, trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/api/openapi.json")
        return answer.raise_for_status().json()


def _frames() -> dict[str, Any]:
    schemas, components = msgspec.json.schema_components([Frame, FeedFrame], ref_template="#/components/schemas/{name}")
    named = dict(zip(("Frame", "FeedFrame"), schemas, strict=True))
    return {
        "openapi": "3.1.0",
        "info": {"title": "dcron websocket frames", "version": "v1"},
        "paths": {},
        "components": {"schemas": components | named},
    }


def main() -> None:
    """Write the documents into the folder that the command line names."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    arguments.add_argument("folder", type=Path)
    folder: Path = arguments.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in asyncio.run(documents()).items():
        (folder / name).write_text(json.dumps(document, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
