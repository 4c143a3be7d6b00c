"""The body of an answer, taken piece by piece: unpacked, bounded, shown to whoever watches.

Bodies are unpacked here and by neither library: they disagree on which packings they know, on what may follow a packed
body and on whether its end may be missing; and a bomb has to be stopped while it swells, not when it has.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import Cause
from ..model import Request
from .framing import Unreadable
from .translate import Observer, most_bytes_of

_PACKINGS = {"gzip", "x-gzip", "deflate"}
_NEVER_ASKED_FOR = {"br", "zstd", "compress", "x-compress", "dcb", "dcz"}

_BROKEN: Cause = "the answer can't be read: its packed body is broken"

STEP_BYTES = 262_144
"""As much is unpacked at once."""

_MOST_MEMBERS = 1000
"""A gzip body may be many, one after the other. Empty ones cost time and never swell, so they are counted."""


MOST_BETWEEN_BYTES = 64 * 1024 * 1024
"""What the outer of two packings may unpack to. The inner one may make nothing of it, so it is counted there."""


class Unpacking:
    """A packed body, unpacked piece by piece as it arrives."""

    def __init__(self, packing: str | None) -> None:
        self._packing = packing
        self._unpacker: Any = None  # zlib's own, once the first byte has come
        self._members = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What a piece unpacks to, `STEP_BYTES` at a time at most: who has had enough of a bomb leaves early.

        :raises Unreadable: if it can't be unpacked.
        """
        there_is_more = False  # that the unpacker holds back, though it has taken all
        while data or there_is_more:
            if self._unpacker is None:
                self._unpacker = self._begin(data)
            elif self._unpacker.eof:
                if data[0] != 0x1F or self._packing == "deflate":
                    break  # padding, or what else follows: nobody minds it
                self._unpacker = self._begin(data)
            try:
                part = self._unpacker.decompress(data, STEP_BYTES)
            except zlib.error:
                raise Unreadable(_BROKEN) from None
            there_is_more = len(part) == STEP_BYTES and not self._unpacker.eof
            data = self._unpacker.unconsumed_tail or self._unpacker.unused_data
            if part:
                yield part

    def finish(self) -> None:
        """Nothing more comes.

        :raises Unreadable: if more should have.
        """
        if self._unpacker is not None and not self._unpacker.eof:
            raise Unreadable("the answer can't be read: it is cut off")

    def _begin(self, data: bytes) -> Any:
        self._members += 1
        if self._packing is None:
            raise Unreadable("the answer can't be read: an encoding that was not asked for")
        if self._members > _MOST_MEMBERS:
            raise Unreadable(_BROKEN)
        if self._packing != "deflate":
            return zlib.decompressobj(16 + zlib.MAX_WBITS)
        # RFC 1950 wants a head, whose first byte has an 8 there; some servers send none.
        return zlib.decompressobj(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)


class Twice:
    """A body that is packed twice, as a server and a proxy before it do. Used as `Unpacking` is."""

    def __init__(self, inner: Unpacking, outer: Unpacking) -> None:
        self._inner, self._outer = inner, outer
        self._between = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """As `Unpacking.feed`."""
        for part in self._outer.feed(data):
            self._between += len(part)
            if self._between > MOST_BETWEEN_BYTES:
                raise Unreadable(_BROKEN)
            yield from self._inner.feed(part)

    def finish(self) -> None:
        """As `Unpacking.finish`."""
        self._outer.finish()
        self._inner.finish()


def unpacking_of(content_encoding: str) -> Unpacking | Twice | None:
    """How a body with this header is unpacked; None: it is not packed, or a word stands there that says nothing.

    A packing that we never asked for, or three of them, raises `Unreadable`, should there be a body at all.
    """
    words = [
        word for word in content_encoding.lower().replace(" ", "").split(",") if word in _PACKINGS | _NEVER_ASKED_FOR
    ]
    if not words:
        return None
    if len(words) > 2 or not _PACKINGS.issuperset(words):
        return Unpacking(None)
    inner, *outer = map(Unpacking, words)  # they are named in the order in which they were applied
    return Twice(inner, outer[0]) if outer else inner


class Body:
    """A body as it comes. `on_chunk` is shown its pieces if the request asks for a stream."""

    def __init__(
        self, request: Request, content_encoding: str, clock: Callable[[], float], on_chunk: Observer | None
    ) -> None:
        self._request = request
        self._unpacking = unpacking_of(content_encoding)
        self._clock = clock
        self._on_chunk = on_chunk
        self._left = most_bytes_of(request)
        self._whole = io.BytesIO()  # it gives its contents away without a copy
        self.first_byte_at: float | None = None
        """When a stream began."""

    def add(self, came: bytes) -> bool:
        """Take what came; False: the body is longer than it may be.

        :raises Unreadable: if it can't be unpacked.
        """
        for piece in (came,) if self._unpacking is None else self._unpacking.feed(came):
            self._left -= len(piece)
            if self._left < 0:
                return False
            self._whole.write(piece)
            if self._request.stream:
                self._show(piece)
        return True

    def _show(self, piece: bytes) -> None:
        if self.first_byte_at is None:
            self.first_byte_at = self._clock()
        if self._on_chunk is not None:
            self._on_chunk(self._request, piece)

    def finish(self) -> bytes:
        """All of it, because nothing more comes.

        :raises Unreadable: if more should have.
        """
        if self._unpacking is not None:
            self._unpacking.finish()
        return self._whole.getvalue()
