"""Server-sent events out of a whole body (https://html.spec.whatwg.org/multipage/server-sent-events.html, checked 2026-11).

Lines end with CRLF, LF or CR; a blank line ends an event; a line that begins with a colon is a comment. An event without
data is none. The specification drops an event without its blank line. Servers leave that line out at the end of a stream
and between events, so here such an event counts, if its data is whole JSON (`payloads`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

# Not str.splitlines: that ends lines at U+2028 and others as well, which JSON may hold as they are.
_LINE_END = re.compile(r"\r\n|\n|\r")


DONE = "[DONE]"
"""The data of the last event of a stream, where a server sends it."""


class Event(NamedTuple):
    """One event. `name` is "message" where the server names none."""

    name: str
    data: str


def events(body: bytes) -> Iterator[Event]:
    """The events of a stream, in their order; the last one may be cut. What is no UTF-8 is read as U+FFFD."""
    name, data = "", list[str]()
    lines = _LINE_END.split(body.decode("utf-8", "replace").removeprefix("\ufeff"))
    for line in (*lines, ""):
        if not line:
            if data:
                yield Event(name or "message", "\n".join(data))
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value


def payloads(body: bytes) -> Iterator[Mapping[str, Any]]:
    """The JSON objects that the events of a stream hold. `DONE` comes as {"done": DONE}.

    Where no blank line parts events, each line of the data is one. What is no JSON object is left out. An object without a
    `type` is given the event's name, if it has one.
    """
    for event in events(body):
        whole = _object(event.data)
        for data in [whole] if whole else map(_object, event.data.split("\n")):
            if data is not None:
                yield data if event.name == "message" or "type" in data else {**data, "type": event.name}


def _object(text: str) -> Mapping[str, Any] | None:
    if text.strip() == DONE:
        return {"done": DONE}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, Mapping) else None
