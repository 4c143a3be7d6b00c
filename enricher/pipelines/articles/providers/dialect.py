"""What one server turned out to accept, learnt from its refusals: once, by all workers, and not paid for at each article.

A refusal names a parameter, or none. What it names is left out first, then what servers refuse most often. The bound on
the answer is never left out: it has two names, and gets the other one. The form that is accepted is what everybody begins
with from then on; a form that was refused as well teaches nothing.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from ..analysis import Prompt
from .base import BAD_REQUEST, Provider

SCHEMA, EFFORT, STREAM_OPTIONS = "response_format", "reasoning_effort", "stream_options"

LIMITS = frozenset({"max_tokens", "max_completion_tokens"})
"""The names of the bound on the answer."""

WIDER = 4
"""A reply that was cut is asked for once more, with so many times the room."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a prompt is put: without parameters that the server does not accept, with `room` times its `max_tokens`."""

    unaccepted: frozenset[str] = frozenset()
    room: int = 1

    def of(self, prompt: Prompt) -> Prompt:
        """The prompt in this form."""
        return replace(
            prompt,
            schema=None if SCHEMA in self.unaccepted else prompt.schema,
            effort=None if EFFORT in self.unaccepted else prompt.effort,
            max_tokens=prompt.max_tokens * self.room,
            unaccepted=self.unaccepted,
        )

    def without(self, parameter: str) -> Form:
        """The form without one more parameter."""
        return replace(self, unaccepted=self.unaccepted | {parameter})

    def joined(self, other: Form) -> Form:
        """What both forms leave out, and the larger room of the two."""
        return Form(self.unaccepted | other.unaccepted, max(self.room, other.room))


class Dialect:
    """The form that a server accepts, as far as it is known. Usable from any thread."""

    def __init__(self) -> None:
        self.form = Form()
        self.schema_is_fine = False  # an answer came with it, or the same failure without it
        self._lock = threading.Lock()

    def learn(self, form: Form) -> None:
        """Have everybody begin with a form that was accepted."""
        with self._lock:
            self.schema_is_fine = self.schema_is_fine or SCHEMA not in form.unaccepted
            self.form = self.form.joined(form)


def doubted(reason: str, provider: Provider, prompt: Prompt) -> str | None:
    """The parameter of a prompt that a refusal (`BAD_REQUEST`) is likely about; None if there is none left to do without."""
    sent = [SCHEMA] if prompt.schema is not None else []
    sent += [EFFORT] if prompt.effort is not None else []
    sent += [name for name in (provider.bound, STREAM_OPTIONS) if name is not None and name not in prompt.unaccepted]
    named = reason.rpartition(": ")[2] if reason.startswith(BAD_REQUEST) else ""
    if named in LIMITS:
        return provider.bound if provider.bound in sent else None
    return named if named in sent else next(iter(sent), None)
