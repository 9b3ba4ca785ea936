"""`${secret:NAME}` in a value: stands for a secret of the job's namespace, which the worker puts in at the start.

Dollars right before `{secret:` count in pairs, and each pair stands for one dollar: `$${secret:NAME}` is the text
`${secret:NAME}` itself, and `$$${secret:NAME}` a dollar and then the secret. Everywhere else dollars are as they are.
"""

import re
from collections.abc import Callable, Iterator

_NAME = r"[A-Za-z_][A-Za-z0-9_]{0,127}"
_REFERENCE = re.compile(rf"(\$+)\{{secret:(?:({_NAME})\}})?")


def with_secrets(text: str, value_of: Callable[[str], str]) -> str:
    """Return the text with the values of its secrets in place; raise ValueError if a reference is not well formed."""
    if "{secret:" not in text:
        return text
    return "".join(literal + (value_of(name) if name else "") for literal, name in _parts(text))


def secrets_in(text: str) -> tuple[str, ...]:
    """Return the names of the secrets that the text refers to; raise ValueError if a reference is not well formed."""
    return tuple(name for _, name in _parts(text) if name) if "{secret:" in text else ()


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Give literal text, and the name of the secret that follows it; "": none."""
    begin = 0
    for match in _REFERENCE.finditer(text):
        dollars, name = len(match[1]), match[2]
        literal = text[begin : match.start()] + "$" * (dollars // 2)
        if dollars % 2 == 0:
            yield literal + match[0][dollars:], ""
        elif name is None:
            raise ValueError("${secret: is not followed by the name of a secret and }")
        else:
            yield literal, name
        begin = match.end()
    yield text[begin:], ""
