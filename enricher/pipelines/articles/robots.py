"""robots.txt: what a host lets us fetch, by RFC 9309; protego knows the rules' grammar.

Rule 1: nothing raises. A site's file is text from outside, and may be anything: a page, bytes, half a megabyte of rules.
Rule 2: what is read is bounded: 500 KB (section 2.5 asks for at least that), and of them `MOST_RULES` in the groups that
may be ours. Ten thousand agents with ten thousand rules would otherwise become a hundred million rules.
Rule 3: a file is asked about for each page of its host, and parsed once: the last few are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from protego import Protego

MOST_BYTES = 500 * 1024
MOST_RULES = 5_000  # for us; half a megabyte of them takes seconds and a hundred megabytes
LONGEST_DELAY_S = 60.0  # a longer one would stop a job for hours over one host

_AGENT_LINE = re.compile(r"\s*user[\s-]?\s*agent(?:\s*:|\s)([^#]*)", re.IGNORECASE)
_RULE_LINE = re.compile(r"\s*(?!site-?maps?\b|host\b)[^\s#]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Robots:
    """What a host's robots.txt says. `text` is None where there are no rules to read: then `otherwise` holds for all."""

    text: str | None
    otherwise: bool = True

    def allows(self, url: str, agent: str) -> bool:
        """Whether this address may be fetched. `agent` is our User-Agent, or its first word ("enricher/1.0 (…)")."""
        if self.text is None:
            return self.otherwise
        name = _product(agent)
        return _parsed(self.text, name).can_fetch(url, name)

    def delay_s(self, agent: str) -> float:
        """Seconds that the host wants between two requests, at most `LONGEST_DELAY_S`; 0.0 where it does not say."""
        if self.text is None:
            return 0.0
        name = _product(agent)
        return min(_parsed(self.text, name).crawl_delay(name) or 0.0, LONGEST_DELAY_S)


ALLOW_ALL = Robots(None)
ALLOW_NONE = Robots(None, otherwise=False)


def rules_of(status: int, body: bytes) -> Robots:
    """The rules in an answer to /robots.txt (its redirects already followed), by RFC 9309, section 2.3.1.

    2xx: the body's rules. 3xx (one redirect too many) and 4xx: there are none, everything is allowed. Else, as 5xx: the host
    can't say, nothing is allowed.
    """
    if 200 <= status < 300:
        return Robots(body[:MOST_BYTES].decode("utf-8-sig", "replace"))
    return ALLOW_ALL if 300 <= status < 500 else ALLOW_NONE


def _product(agent: str) -> str:
    """The word that rules are written for (section 2.2.1): "enricher" of "enricher/1.0 (+https://example.org)"."""
    return (re.split(r"[/\s(;]", agent.strip(), maxsplit=1)[0] or "*").lower()


@lru_cache(maxsize=16)
def _parsed(text: str, name: str) -> Protego:
    return Protego.parse("\n".join(islice(_ours(text, name), MOST_RULES)))


def _ours(text: str, name: str) -> Iterator[str]:
    """The lines of the groups that may be ours, in a file's order: those for "*", and for the beginnings of our name.

    A group is a run of agents and the rules below it; what concerns the whole site is left out.
    """
    ours = among_agents = False
    for line in text.splitlines():
        if agent := _AGENT_LINE.match(line):
            wanted = agent[1].strip().lower().strip("*")
            mine = name.startswith(wanted) and not agent[1].isspace() and agent[1] != ""
            ours = mine or (ours and among_agents)
            among_agents = True
            if mine:
                yield f"User-agent: {wanted or '*'}"
        elif _RULE_LINE.match(line):
            among_agents = False
            if ours:
                yield line
