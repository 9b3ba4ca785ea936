"""A JSON merge patch (RFC 7396) on a definition. Pure.

What a patch names gets the value that it gives; null takes a field back to its default, or an entry out of `env`.
"""

from typing import Any

import msgspec

from dcron_core.jobs.validation import convert_job
from dcron_schemas.job import JobSpec


def patched(spec: JobSpec, patch: dict[str, Any]) -> JobSpec:
    """Return the definition with the patch on it, checked like one that was sent whole; raise InvalidJobError."""
    return convert_job(_merged(msgspec.to_builtins(spec, str_keys=True), patch))


def _merged(target: Any, patch: Any) -> Any:
    """Do what RFC 7396, section 2, calls MergePatch."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged
