"""aiohttp's connections, with what they lack: one reading of an answer, and a word on what became of a request.

Rule 1: framing.py reads each answer, and aiohttp's parser is shown what it wrote out anew. The parser refuses what
http.client takes, and the other way round.
Rule 2: a flight knows whether its request left over a kept connection, and whether a status line came.
Rule 3: a flight that must be `fresh` uses no kept connection: its last attempt was lost with one (RFC 9112, 9.5).
"""

from __future__ import annotations

import functools
from asyncio import AbstractEventLoop
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from .framing import LONGEST_LINE_BYTES, Chunks, Head, HeadLines, Unreadable, plain_head


class Flight:
    """One request on its way. `method` is spelled as it is sent: aiohttp would write it in upper case."""

    __slots__ = ("fresh", "handler", "method", "reused")

    def __init__(self, method: str, *, fresh: bool = False) -> None:
        self.method = method
        self.fresh = fresh
        """Whether it must leave over a connection that has brought no answer yet."""
        self.handler: Handler | None = None
        self.reused = False

    @property
    def answered(self) -> bool:
        """Whether a status line came."""
        return self.handler is not None and self.handler.answered


FLIGHT: ContextVar[Flight] = ContextVar("flight")
"""That of the task that sends."""


class SentRequest(aiohttp.ClientRequest):
    """A request whose method is sent as it is written."""

    def __init__(self, method: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(method, *args, **kwargs)
        self.method = FLIGHT.get().method


class Handler(ResponseHandler):
    """A connection. Bytes that come between two answers end it: they belong to neither."""

    def __init__(self, loop: AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.answers = 0
        self.answered = False
        self.trouble: Unreadable | None = None
        self._lines: HeadLines | None = None  # while a head is waited for
        self._head: Head | None = None  # while its body comes
        self._chunks: Chunks | None = None
        self._left = 0  # of a body whose length was told, bytes
        self._pending = b""  # the beginning of a line, or what came before a request

    def set_response_params(self, **params: Any) -> None:
        """Wait for the answer to the next request."""
        flight = FLIGHT.get(None)
        method = "GET" if flight is None or flight.handler is not self else flight.method
        self._lines, self._head, self.answered = HeadLines(method), None, False
        super().set_response_params(**{**params, "skip_payload": method == "HEAD"})
        if self._pending:
            pending, self._pending = self._pending, b""
            self.data_received(pending)

    def data_received(self, data: bytes) -> None:
        """Show aiohttp what of this belongs to the answer. (It calls this itself, with nothing, to go on with its parser.)"""
        try:
            shown = self._shown(data) if data else b""
        except Unreadable as trouble:
            self._fail(trouble)
            return
        if shown or not data:
            super().data_received(shown)

    def _shown(self, data: bytes) -> bytes:
        shown = b""
        if self._lines is not None:
            shown, data = self._read_head(self._lines, data)
            if self._lines is not None:
                return b""
        elif self._head is None:
            self._stray(data)
            return b""
        body = self._read_body(data)
        return shown + body if shown else body

    def _read_head(self, lines: HeadLines, data: bytes) -> tuple[bytes, bytes]:
        """The head written out anew and what follows it, if it has come whole."""
        if not self._pending and (plain := plain_head(data, lines.method)) is not None and not lines.begun:
            self._begin(plain)
            return plain.raw, data[len(plain.raw) :]
        data = self._pending + data
        at = 0
        while True:
            end = data.find(b"\n", at) + 1
            if not end and len(data) - at <= LONGEST_LINE_BYTES:
                self._pending = data[at:]
                return b"", b""
            try:
                head = lines.add(data[at : end or len(data)])
            finally:
                self.answered = lines.answered
            at = end
            if head is not None:
                self._begin(head)
                return head.raw, data[at:]

    def _begin(self, head: Head) -> None:
        """The head has come; its body follows."""
        self._pending = b""
        self._lines, self._head = None, head
        self._left = head.length or 0
        self._chunks = Chunks() if head.chunked else None
        self.answers += 1
        self.answered = True

    def _read_body(self, data: bytes) -> bytes:
        if self._chunks is not None:
            piece = self._chunks.feed(data)
            shown = b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
            if self._chunks.done:
                self._over(stray=self._chunks.stray)
                shown += b"0\r\n\r\n"
            return shown
        if self._head is not None and self._head.length is None:  # it ends with the connection
            return data
        shown = data[: self._left]
        self._left -= len(shown)
        if not self._left:
            self._over(stray=len(data) > len(shown))
        return shown

    def _over(self, *, stray: bool) -> None:
        """The answer is whole. `stray`: more has come than belongs to it."""
        self._head = None
        if stray:
            self.force_close()

    def _stray(self, data: bytes) -> None:
        """Something came that nobody asked for."""
        if self.answers:
            self.force_close()
            if self.transport is not None:
                self.transport.close()
        elif len(self._pending) <= LONGEST_LINE_BYTES:
            self._pending += data

    def _fail(self, trouble: Unreadable) -> None:
        self.trouble = trouble
        self.set_exception(trouble)
        if self.transport is not None:
            self.transport.abort()


class Connector(aiohttp.TCPConnector):
    """A pool of such connections."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        make: Any = functools.partial(Handler, loop=self._loop)
        self._factory = make  # there is no public way (aiohttp 3.14)

    async def connect(self, req: Any, traces: Any, timeout: Any) -> Any:  # noqa: ASYNC109  # aiohttp's own
        """A connection for a request: a kept one or a new one. A flight that must be fresh gets no kept one."""
        flight = FLIGHT.get()
        replaced, set_aside = False, []
        try:
            while True:
                connection = await super().connect(req, traces, timeout)
                handler: Any = connection.protocol
                if not (flight.fresh and handler.answers):
                    break
                if replaced:
                    set_aside.append(connection)
                else:
                    connection.close()  # makes room for the new one
                    replaced = True
        finally:
            for other in set_aside:
                other.release()
        flight.handler, flight.reused = handler, handler.answers > 0
        return connection
