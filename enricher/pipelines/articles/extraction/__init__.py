"""The main text of a page, and what the page says of itself. Pure, and meant for a process that can be killed.

Rule 1: only what a reader sees. What is hidden is taken out before anything looks for the main text (`visibility`),
and from the text every character that shows nothing (`text`). What a page states for machines (JSON-LD, descriptions)
is used where it shows no text.
Rule 2: the work is bounded before it begins, by the page's size and the number and depth of its tags: 50 MB at most, and
some seconds for the worst of it. What is slow all the same, the caller kills.
Rule 3: no page is empty without a reason, in our own words.
Rule 4: no clock; and nothing outlives a call but the libraries' caches, which are bounded.

    kinds      what a body is, and why it has no text
    encoding   bytes → text
    markup     text → text without scripts, styles, comments and embedded pictures; counts tags before they are parsed
    tree       text → tree, within bounds
    shadow     declarative shadow roots → where a browser renders them
    visibility tree → tree without what no reader sees; styles: what inline styles say
    furniture  tree → tree without what pages put between and around paragraphs
    choosing   tree → main text; lines: without titles and set phrases
    metadata   what a page states of itself
    text       characters that show nothing, and words
    libraries  logging and caches of the libraries
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .choosing import main_text
from .encoding import decode
from .kinds import kind_of, refusal
from .libraries import quiet, release_caches
from .metadata import Extracted, metadata_of
from .text import seen, words
from .tree import MAX_TEXT_CHARS, NO_TEXT, TOO_DEEP, TOO_LONG, TOO_MUCH, tree_of

__all__ = ["NO_TEXT", "TOO_DEEP", "TOO_LONG", "TOO_MUCH", "Extracted", "extract", "refusal"]

# After a page of this size, the libraries' caches of strings are emptied. It takes 50 ms, so not after every page.
LARGE_BYTES = 500_000


def extract(body: bytes, url: str, content_type: str = "") -> Extracted:
    """Extract the main text of a page that came from `url`, with its `Content-Type`. Plain text is taken as it is.

    Raises nothing for what a page holds: `reason` says why there is no text.
    """
    reason = refusal(content_type, body)
    if reason is not None:
        return Extracted(reason=reason)
    with quiet():
        try:
            source = decode(body, content_type)
            if kind_of(content_type, body) == "text":
                text = seen(source)
                return Extracted(reason=TOO_LONG) if len(text) > MAX_TEXT_CHARS else _with_text(Extracted(), text)
            root = tree_of(source)
            del source  # it would be held while the tree is copied
            return Extracted(reason=root) if isinstance(root, str) else _from_tree(root, url)
        except Exception:  # noqa: BLE001  # libraries meet whatever people write; what they stumble over is this page's fault
            return Extracted(reason="its HTML could not be read")
        finally:
            if len(body) > LARGE_BYTES:
                release_caches()


def _from_tree(root: Any, url: str) -> Extracted:
    page = metadata_of(root, url)
    titles = [
        page.title or "",
        root.findtext(".//title") or "",
        *("".join(title.itertext()) for title in root.iter("h1")),
    ]
    return _with_text(page, main_text(root, url, titles) or page.description or "")


def _with_text(page: Extracted, text: str) -> Extracted:
    return replace(page, text=text, word_count=words(text), reason=None if text else NO_TEXT)
