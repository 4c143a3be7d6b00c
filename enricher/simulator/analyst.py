"""What the simulated models say of an article: a function of the article alone. Pure.

The article is what the user's message holds between a pair of tags, whatever they are called; without tags it is all of
it. The answer is made from its title and sentences to fit whatever JSON schema comes with the request.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

DEFAULT_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("title", "summary", "method", "takeaway")},
        **{name: {"type": "array", "items": {"type": "string"}} for name in ("key_findings", "topics")},
    },
}
_TAGGED = re.compile(r"<([A-Za-z][\w.-]*)(?:\s[^<>]*)?>(.*?)</\1\s*>", re.DOTALL)
_TITLE = re.compile(r"^\s*(?:#+\s+|title\s*:\s*)(.+)$", re.IGNORECASE | re.MULTILINE)
_SENTENCE = re.compile(r"[^\n]+?(?:[.!?…]+[\"”’»]?(?=\s|$)|(?=\n|$))")
_WORD = re.compile(r"[^\W\d_]{5,}")
# An address of this machine has a port that differs from run to run.
_PORT = re.compile(r"(?<=127\.0\.0\.)(\d+):\d+")
_METHOD = re.compile(
    r"survey|study|trial|compar|measur|method|Umfrage|Studie|Versuch|gemessen|enquête|étude|essai|mesure", re.IGNORECASE
)
_DEEPEST = 8


def tokens(text: str) -> int:
    """The tokens of a text: a quarter of its characters, rounded up."""
    return math.ceil(len(text) / 4)


@dataclass(frozen=True, slots=True)
class Reading:
    """An article as a model reads it. `name` is a hash of it, the same in every run."""

    name: str
    title: str
    sentences: Sequence[str]

    @classmethod
    def of(cls, prompt: str) -> Reading:
        """The article in a user's message."""
        inside = max((found[2] for found in _TAGGED.finditer(prompt)), key=len, default=prompt).strip()
        titled = _TITLE.search(inside)
        title = titled[1].strip() if titled else inside.partition("\n")[0].strip()
        body = inside[titled.end() :] if titled else inside.partition("\n")[2] or inside
        sentences = [found[0].strip() for found in _SENTENCE.finditer(body) if len(found[0].strip()) > 8]
        name = blake2b(_PORT.sub(r"\1", " ".join(inside.split())).encode(), digest_size=12).hexdigest()
        return cls(name, title, sentences or [title or "Nothing."])

    def sentence(self, number: int) -> str:
        """A sentence; the count begins again at the end."""
        return self.sentences[number % len(self.sentences)]

    def topics(self, most: int) -> list[str]:
        """The words that the title shares with the text, then those that occur most."""
        counts = Counter(word.lower() for sentence in self.sentences for word in _WORD.findall(sentence))
        titled = {word.lower() for word in _WORD.findall(self.title)}
        return sorted(counts, key=lambda word: (word not in titled, -counts[word], word))[:most] or ["news"]


def analysis(reading: Reading, schema: Mapping[str, Any] | None) -> str:
    """The reply to a request for a schema (None: the usual fields), as JSON text that is valid by it."""
    schema = schema or DEFAULT_SCHEMA
    return json.dumps(_Filler(reading, schema).value(schema, "", 0), ensure_ascii=False)


class _Filler:
    """Makes up a value for any schema that the APIs take: objects, lists, texts, numbers, choices, references."""

    def __init__(self, reading: Reading, root: Mapping[str, Any]) -> None:
        self._reading, self._root = reading, root

    def value(self, schema: Mapping[str, Any], name: str, depth: int) -> Any:
        if "$ref" in schema:
            schema = self._referred(str(schema["$ref"]))
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return schema["enum"][int(self._reading.name, 16) % len(schema["enum"])]
        choices = schema.get("anyOf") or schema.get("oneOf")
        if choices:
            return self.value(next((each for each in choices if each.get("type") != "null"), choices[0]), name, depth)
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((each for each in kind if each != "null"), "null")
        match kind:
            case "object":
                properties = schema.get("properties", {}) if depth < _DEEPEST else {}
                return {each: self.value(schema, each, depth + 1) for each, schema in properties.items()}
            case "array":
                return self._list(schema, name, depth)
            case "integer" | "number":
                return max(schema.get("minimum", 1), min(schema.get("maximum", 3), 3))
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._text(name)[: schema.get("maxLength")].ljust(schema.get("minLength", 0), ".")

    def _referred(self, reference: str) -> Mapping[str, Any]:
        found: Any = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            found = found[part] if part else found
        return found if isinstance(found, Mapping) else {}

    def _list(self, schema: Mapping[str, Any], name: str, depth: int) -> list[Any]:
        count = max(schema.get("minItems", 0), min(schema.get("maxItems", 3), 3))
        items = schema.get("items", {})
        if items not in ({}, {"type": "string"}):
            return [self.value(items, name, depth + 1)] * max(count, 1)
        if "topic" in name or "tag" in name or "keyword" in name:
            return self._reading.topics(count)
        return [self._reading.sentence(number) for number in range(1, count + 1)]

    def _text(self, name: str) -> str:
        reading = self._reading
        match name:
            case "title":
                return reading.title
            case "summary":
                return " ".join(reading.sentences[:3])
            case "method":
                return next((each for each in reading.sentences if _METHOD.search(each)), "not stated")
            case _:
                return reading.sentence(0)
