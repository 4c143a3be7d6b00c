"""Declarative shadow roots (`<template shadowrootmode>`), put where a browser renders them.

The shadow tree takes the place of its host's content. The content appears where the shadow tree has a slot for it, and
nowhere if there is none: what is not rendered is dropped.
"""

from __future__ import annotations

from typing import Any

_MODES = frozenset({"open", "closed"})
_HOSTS = frozenset(
    {
        *("article", "aside", "blockquote", "body", "div", "footer", "h1", "h2", "h3", "h4", "h5", "h6"),
        *("header", "main", "nav", "p", "section", "span"),
    }
)  # dom.spec.whatwg.org, attachShadow; and every custom element


def render(root: Any) -> None:
    """Replace the content of each host by its shadow tree; the innermost first, so that its slots are no other's."""
    for template in reversed(list(root.iter("template"))):
        host = template.getparent()
        if host is not None and (host.tag in _HOSTS or "-" in host.tag) and _is_first_root(template):
            _attach(host, template)


def _is_first_root(template: Any) -> bool:
    """Whether a template declares its host's shadow root: only the first one of a host does."""
    return _declares(template) and not any(map(_declares, template.itersiblings("template", preceding=True)))


def _declares(template: Any) -> bool:
    return (template.get("shadowrootmode") or "").strip().lower() in _MODES


def _attach(host: Any, template: Any) -> None:
    """Make a template the only content of its host, and the former content that of the template's slots."""
    text, light = host.text, [child for child in host if child is not template]
    tails = [template.tail, *(child.tail for child in light)]
    for child in list(host):
        child.tail = None
        host.remove(child)
    host.text = None
    template.tag = "div"
    template.attrib.clear()
    host.append(template)
    slots: dict[str, Any] = {}
    for slot in list(template.iter("slot")):
        slots.setdefault((slot.get("name") or "").strip(), slot)
        slot.tag = "div"
    loose = " ".join(part for part in (text, *tails) if part and not part.isspace())
    for name, slot in slots.items():
        assigned = [child for child in light if (child.get("slot") or "").strip() == name]
        if assigned or (loose and not name):
            _fill(slot, assigned, "" if name else loose)


def _fill(slot: Any, children: list[Any], text: str) -> None:
    """Put content into a slot, in place of what the slot shows without any."""
    for child in list(slot):
        slot.remove(child)
    slot.text = text
    slot.extend(children)
