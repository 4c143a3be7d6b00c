"""What a reader of a page does not see is taken out of its tree.

An order to a language model that no reader would notice must never get to one. Taken out are scripts, `<template>`,
`<noscript>`, what the attributes `hidden` and `aria-hidden` or an inline style hide, and text that can't be read (`styles`).
Style sheets are not read: what a class hides stays.

A page may hide its only article until its script runs, or from screen readers while a popup is open. Such an article is
kept if hardly any text is visible beside it (`_only_article`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .shadow import render
from .styles import FRAME, INVISIBLE, Look, Style, look_of, never_shown, style_of
from .text import words

# What a browser does not show, or does not show as text.
_DROPPED = (
    *("script", "style", "template", "noscript", "iframe", "noframes", "noembed", "object", "embed"),
    *("svg", "canvas", "audio", "video", "datalist"),
)
_STYLED = "//*[@style or @hidden or @aria-hidden or @color or @bgcolor or self::dialog]"

FEW_WORDS = 25  # fewer visible words are no article
ARTICLE_WORDS = 50
TIMES_VISIBLE = 5
# Text in these is no article: it does not count as visible beside one.
_AROUND = frozenset(
    {"a", "nav", "header", "footer", "aside", "form", "button", "select", "label", "dialog", "noscript", "title"}
)
_AROUND_ROLES = frozenset(["dialog", "alertdialog", "navigation", "banner", "contentinfo", "search", "menu"])
_AROUND_NAME = re.compile(
    r"cookie|consent|gdpr|modal|pop-?up|newsletter|overlay|banner|menu|toast|dialog", re.IGNORECASE
)
_ARTICLE = "descendant-or-self::*[self::article or self::main or self::h1 or @itemprop='articleBody']"


def conceal(root: Any) -> None:
    """Take out of a tree what a reader of the page would not see.

    Faded text and white text without a background go too, unless they are most of the page: that is faded in by a script,
    or written on a style sheet's black.
    """
    render(root)
    for element in list(root.iter(*_DROPPED)):
        element.drop_tree()
    _drop_hidden(root)
    looks: dict[Any, Look] = {}
    for element in root.xpath(_STYLED):
        around = next((looks[above] for above in element.iterancestors() if above in looks), Look())
        looks[element] = look_of(element, style_of(element.get("style")), around)
        element.attrib.pop("style", None)  # trafilatura would leave out what only has `overflow: hidden`
        element.attrib.pop("aria-hidden", None)
    _blank(root, looks)


def _drop_hidden(root: Any) -> None:
    """Drop the elements of which nothing is shown; show the only article."""
    toggled, invisible = [], []
    for element in root.xpath(_STYLED):
        if element.tag in FRAME:
            continue
        style = style_of(element.get("style"))
        if never_shown(style) or (element.tag == "dialog" and element.get("open") is None):
            element.drop_tree()
        elif _is_toggled(element, style):
            toggled.append(element)
        elif _is_invisible(style):
            invisible.append(element)
    shown = _only_article(root, toggled + invisible)
    for element in invisible:  # kept in any case: what it holds may be visible again
        if element in shown:
            element.set("style", f"{element.get('style')}; visibility: visible !important")
    for element in toggled:
        if element not in shown and element.getparent() is not None:
            element.drop_tree()


def _is_toggled(element: Any, style: Style) -> bool:
    """Whether an element is hidden by a means that scripts use to show it later."""
    return _is_undisplayed(element, style) or str(element.get("aria-hidden")).strip().lower() == "true"


def _is_undisplayed(element: Any, style: Style) -> bool:
    hidden = style.get("display") == "none" or style.get("content-visibility") == "hidden"
    return hidden or element.get("hidden") is not None


def _is_invisible(style: Style) -> bool:
    return style.get("visibility") in INVISIBLE


def _only_article(root: Any, toggled: list[Any]) -> set[Any]:
    """The hidden element that holds the page's only article, and those around the article in it; nothing if there is none.

    It has many words, and those visible beside it are too few for an article. `aria-hidden` hides nothing from the eye, so
    there it is enough that they are few in comparison, and that only the hidden element has a heading or an article.
    """
    hidden = set(toggled)
    outer = [element for element in toggled if not any(above in hidden for above in element.iterancestors())]
    counts = {element: _words(element) for element in outer}
    largest = max(outer, key=counts.__getitem__, default=None)
    if largest is None or counts[largest] < ARTICLE_WORDS:
        return set()
    visible = _visible_words(root, hidden)
    if visible * TIMES_VISIBLE > counts[largest]:
        return set()
    marks = len(largest.xpath(_ARTICLE))
    style = style_of(largest.get("style"))
    seen_by_eye = not (_is_undisplayed(largest, style) or _is_invisible(style))
    if visible < FEW_WORDS or (seen_by_eye and marks > 0 and marks == len(root.xpath(_ARTICLE))):
        inner = (one for one in largest.iterdescendants() if one in hidden)
        return {largest, *(one for one in inner if _words(one) * 2 > counts[largest])}
    return set()


def _words(element: Any) -> int:
    return words(" ".join(element.itertext()))


def _visible_words(root: Any, hidden: set[Any]) -> int:
    """How many words are visible, without those of links, menus, popups and the like."""
    text: list[str] = []
    todo = list(root.iterchildren("body"))
    while todo:
        one = todo.pop()
        if one not in hidden and not _is_around(one):
            text += [one.text or "", *(child.tail or "" for child in one)]
            todo += one
    return words(" ".join(text))


def _is_around(element: Any) -> bool:
    if element.tag in FRAME:
        return False
    named = f"{element.get('class') or ''} {element.get('id') or ''}"
    return element.tag in _AROUND or element.get("role") in _AROUND_ROLES or _AROUND_NAME.search(named) is not None


def _blank(root: Any, looks: Mapping[Any, Look]) -> None:
    """Remove the text that can't be read where it stands."""
    hidden = [element for element, look in looks.items() if look.hidden]
    doubtful = [element for element, look in looks.items() if look.doubtful and not look.hidden]
    if doubtful:
        parts = _parts(doubtful, looks)
        chars = sum(len(one.text or "") + sum(len(child.tail or "") for child in one) for one in parts)
        if chars < sum(map(len, root.xpath("//body//text()"))) / 2:
            hidden += doubtful
    for one in list(_parts(hidden, looks)):
        one.text = None
        for child in one:
            child.tail = None


def _parts(elements: list[Any], looks: Mapping[Any, Look]) -> Iterator[Any]:
    """Elements, and all in them whose look is theirs."""
    todo = list(elements)
    while todo:
        one = todo.pop()
        yield one
        todo += [child for child in one if child not in looks]
