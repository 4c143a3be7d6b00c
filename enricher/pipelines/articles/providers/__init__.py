"""Who can analyse an article: one file a provider, each two pure functions (build a request, read its reply) and a few
facts; `local` needs neither key nor network; `services` makes a `Service` of a provider.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .anthropic import ANTHROPIC
from .base import Provider
from .mistral import MISTRAL
from .openai import COMPATIBLE, OPENAI

BY_NAME: Mapping[str, Provider] = MappingProxyType(
    {provider.name: provider for provider in (ANTHROPIC, OPENAI, MISTRAL, COMPATIBLE)}
)
"""The providers behind an API. `COMPATIBLE` is for servers of one's own that speak OpenAI's chat/completions."""
