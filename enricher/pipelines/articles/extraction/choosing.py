"""The main text of a tree, as trafilatura finds it in a tree without furniture.

trafilatura compares its own extraction with those of readability and jusText. Where nearly nothing is found, its recall
mode, which reads JSON-LD too, gets the whole tree.

Measured by `python -m benchmarks.extraction` (F1 of 4-grams, 2026-12): 0.972 on the 181 news pages of scrapinghub's
article-extraction-benchmark. No rule was made from those pages, but their total was seen while limits were chosen, so it is
slightly optimistic. trafilatura 2.3.1 alone has 0.960 there, without comments.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

from .furniture import join_parts, remove_furniture
from .lines import without_furniture
from .text import seen

ALMOST_NOTHING_CHARS = 200

# All that trafilatura looks at when it looks for the text. The others only cost memory, in each of its copies of the tree.
_NEEDED = frozenset(
    {
        *("class", "id", "role", "itemprop", "type"),
        *("data-preloaded", "data-lp-replacement-content", "data-component"),
    }
)


def main_text(root: Any, url: str, titles: Iterable[str] = ()) -> str:
    """Find the main text of a tree, a paragraph a line, without the page's titles."""
    for element in root.iter():
        for name in set(element.attrib) - _NEEDED:
            del element.attrib[name]
    cleared = deepcopy(root)
    join_parts(cleared)
    remove_furniture(cleared)
    text = without_furniture(_found(cleared, url), titles)
    if len(text) < ALMOST_NOTHING_CHARS:
        text = max(text, _found(root, url, favor_recall=True), key=len)
    return text


def _found(root: Any, url: str, *, favor_recall: bool = False) -> str:
    from trafilatura import bare_extraction

    document = bare_extraction(root, url=url, include_comments=False, favor_recall=favor_recall)
    return seen(getattr(document, "text", None) or "")
