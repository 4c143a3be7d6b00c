"""How values become columns: JSON that a person can read, bodies that take little room, times in UTC."""

from __future__ import annotations

import dataclasses
import json
import re
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..model import NOTHING, Candidate, Charge, Learnt, Price, Usage

# A body below this is stored as it is: zlib would save some 200 bytes of it, for 70 µs (measured on JSON).
SMALLEST_COMPRESSED_BYTES = 512

_SURROGATE = re.compile("[\ud800-\udfff]")
_CANDIDATE_FIELDS = tuple(field.name for field in dataclasses.fields(Candidate))


def _plain(value: Any) -> Any:
    """JSON for what the json module does not know: any mapping is an object, any set a list, the rest its text."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)


_readable = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_plain).encode
_escaped = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=_plain).encode


def dumps(value: Any) -> str:
    """JSON text. Half a surrogate pair can't be stored as UTF-8, so a text that holds one is escaped and comes back."""
    text = _readable(value)
    return text if text.isascii() or not _SURROGATE.search(text) else _escaped(value)


def loads(text: str | None) -> Any:
    """The value of a JSON column; None for NULL."""
    return None if text is None else json.loads(text)


def storable(text: str) -> str:
    """`text` with half surrogate pairs replaced: what a plain text column can hold."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def utc(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601, to the second: `2026-01-31T09:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def candidates_text(candidates: tuple[Candidate, ...]) -> str | None:
    """The candidates as a JSON array of objects; None where there are none."""
    if not candidates:
        return None
    return dumps([{name: getattr(candidate, name) for name in _CANDIDATE_FIELDS} for candidate in candidates])


def candidates_of(text: str | None) -> tuple[Candidate, ...]:
    """What `candidates_text` wrote."""
    return tuple(Candidate(**each) for each in loads(text) or ())


def answer_columns(learnt: Learnt, stored_at: float) -> tuple[Any, ...]:
    """One row of `answer`: (key, kind, status, missing, body, encoding, size, stored_at, headers)."""
    body, encoding = learnt.remembered.body, "raw"
    if len(body) >= SMALLEST_COMPRESSED_BYTES:
        smaller = zlib.compress(body, 1)
        if len(smaller) < len(body):
            body, encoding = smaller, "zlib"
    remembered = learnt.remembered
    return (
        storable(learnt.key),
        learnt.kind,
        remembered.status,
        remembered.missing,
        body,
        encoding,
        len(body),
        stored_at,
        dumps(remembered.headers) if remembered.headers else None,
    )


def body_of(body: bytes, encoding: str) -> bytes:
    """The bytes that the service sent."""
    return zlib.decompress(body) if encoding == "zlib" else body


def headers_of(text: str | None) -> Mapping[str, str]:
    """The headers that were kept with an answer."""
    return NOTHING if text is None else json.loads(text)


def charge_text(charge: Charge) -> str:
    """A charge as a JSON object: what was agreed when a request was handed in, whatever the prices are later."""
    return dumps(dataclasses.asdict(charge))


def charge_of(text: str) -> Charge:
    """What `charge_text` wrote."""
    parts = json.loads(text)
    return Charge(**{**parts, "price": Price(**parts["price"]), "most": Usage(**parts["most"])})
