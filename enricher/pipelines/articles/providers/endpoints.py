"""Where an API is, from the address that a person gives: used as it is given.

Clients disagree about what an address holds, so all of these name the same place: `https://host`, `https://host/v1/`,
`https://host/v1/chat/completions`. An address with a path of its own (`/v1beta/openai`, `/api/paas/v4`, Azure's
`/openai/deployments/NAME?api-version=…`) gets no version. Anthropic's clients add `/v1/messages` to every address.

Where an address does not say whether it wants a version, the other spelling is tried after a 404, once a service.
The query of an address may hold a key: it is placed like one, so it is in no log, no file and no repr.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from ....model import KeyPlace

VERSION = "/v1"

NO_KEY = "no key"
"""Stands for the key of a service that has none, so that the query of its address is placed all the same."""

_OPERATIONS = ("/chat/completions", "/messages")
_VERSIONED = re.compile(r"/v\d", re.ASCII)
_AZURE = "api-version"


@dataclass(slots=True)
class Endpoint:
    """An address. `base_url` has no version and no query; `versions` are what may stand between it and an operation.

    Requests are built with `VERSION` at the beginning of their paths; `located` puts there what the server wants.
    """

    base_url: str
    versions: tuple[str, ...] = (VERSION,)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    version: str = field(init=False)

    def __post_init__(self) -> None:
        self.version = self.versions[0]

    def located(self, path: str, version: str | None = None) -> str:
        """A path as this server knows it, by default in the version that is known to be right."""
        return (self.version if version is None else version) + path.removeprefix(VERSION)

    def placing(self, place_key: Callable[[str], KeyPlace]) -> Callable[[str], KeyPlace]:
        """How a key and this address' query are placed. Azure takes a key in a header of its own."""
        query = self.query

        def place(key: str) -> KeyPlace:
            if key == NO_KEY:
                return KeyPlace(params=query)
            headers = {"api-key": key} if _AZURE in query else place_key(key).headers
            return KeyPlace(params=query, headers=headers)

        return place


def endpoint_of(address: str, *, always_versioned: bool = False) -> Endpoint:
    """The endpoint at an http(s) address. `always_versioned`: every address is one without its version, as for Anthropic."""
    parts = urlsplit(address)
    path = re.sub("/{2,}", "/", parts.path).rstrip("/")
    operation = next((one for one in _OPERATIONS if path.endswith(one)), "")
    path = path.removesuffix(operation)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))

    def at(path: str, *versions: str) -> Endpoint:
        return Endpoint(f"{parts.scheme}://{parts.netloc}{path}", versions, query)

    if path.endswith(VERSION):
        return at(path.removesuffix(VERSION), VERSION)
    if operation:
        return at(path, "")
    if always_versioned:
        return at(path, VERSION)
    if not path:
        return at(path, VERSION, "")
    return at(path, "") if _VERSIONED.search(path) or _AZURE in query else at(path, "", VERSION)
