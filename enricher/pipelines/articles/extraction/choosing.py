"""The main text of a tree, as trafilatura finds it: in its fast mode first, and in slower ones where that found little."""

from __future__ import annotations

from typing import Any, Literal

from .text import seen

# Where the fast mode misses an article, it finds a teaser or a caption; where it finds one, the full mode finds the same,
# or adds what does not belong to it.
LITTLE_CHARS = 1_500
MUCH_MORE = 2.0
ALMOST_NOTHING_CHARS = 200

# All that trafilatura looks at when it looks for the text. The others only cost memory, in each of its copies of the tree.
_NEEDED = frozenset(
    {
        *("class", "id", "role", "itemprop", "type"),
        *("data-preloaded", "data-lp-replacement-content", "data-component"),
    }
)


def main_text(root: Any, url: str) -> str:
    """The quick way first; where it finds little, by comparison with other algorithms; where nearly nothing, all it can."""
    for element in root.iter():
        for name in set(element.attrib) - _NEEDED:
            del element.attrib[name]
    text = _found(root, url, "fast")
    if len(text) < LITTLE_CHARS:
        compared = _found(root, url, "balanced")
        text = compared if len(compared) > MUCH_MORE * len(text) else text
    if len(text) < ALMOST_NOTHING_CHARS:
        text = max(text, _found(root, url, "recall"), key=len)
    return text


def _found(root: Any, url: str, mode: Literal["fast", "balanced", "recall"]) -> str:
    from trafilatura import bare_extraction

    document = bare_extraction(
        root, url=url, include_comments=False, fast=mode == "fast", favor_recall=mode == "recall"
    )
    return seen(getattr(document, "text", None) or "")
