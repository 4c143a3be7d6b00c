"""A tiny TMDB in memory: searches, finds and details over a catalogue of films, to play recipes against.

Every request is answered as the real service would, by shape and by behaviour: titles, original titles and alternative
titles are searched, `year` narrows to films released in it, results come by popularity, twenty a page.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict

from enricher.model import Answer, Item, Request, Service

SERVICE = Service("tmdb", "https://api.themoviedb.org/3")
PAGE = 20


def tokens(text):
    """Words as a search engine sees them: folded, without accents, split at everything that is neither letter nor digit."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return re.findall(r"[^\W_]+", "".join(c for c in plain if not unicodedata.combining(c)))


class World:
    """`strict`: every word of the query must be in one title, the last as a prefix; else any word will do."""

    def __init__(self, films, *, strict=True):
        self.films = {film["id"]: film for film in films}
        self.strict = strict
        self.by_word = defaultdict(set)
        self.asked = Counter()
        for film in films:
            for title in self.titles(film):
                for word in tokens(title):
                    self.by_word[word].add(film["id"])

    @staticmethod
    def titles(film):
        return [film["title"], film.get("original_title", film["title"]), *film.get("alternative_titles", [])]

    def answer(self, request: Request) -> Answer:
        self.asked[request.kind] += 1
        if request.kind == "search":
            data = self.search(request.params)
            return Answer(200, data, b"", missing=not data["results"])
        if request.kind == "find":
            imdb_id = request.path.rpartition("/")[2]
            found = [self.entry(film) for film in self.films.values() if film.get("imdb_id") == imdb_id]
            return Answer(200, {"movie_results": found, "tv_results": [], "person_results": []}, b"", missing=not found)
        film = self.films.get(int(request.path.rpartition("/")[2]))
        if film is None:
            return Answer(404, {"success": False, "status_code": 34}, b"", missing=True)
        titles = [{"iso_3166_1": "US", "title": title, "type": ""} for title in film.get("alternative_titles", [])]
        return Answer(200, {**self.entry(film), "alternative_titles": {"titles": titles}}, b"")

    def search(self, params):
        words = tokens(params["query"])
        if not words:
            found = []
        elif self.strict:
            found = [
                self.films[i]
                for i in set.intersection(*(self.by_word[w] for w in words[:-1] or words[-1:]))
                | (set() if len(words) > 1 else self.prefixed(words[-1]))
            ]
            found = [film for film in found if any(self.covers(tokens(title), words) for title in self.titles(film))]
        else:
            found = [self.films[i] for i in set.union(*(self.by_word[w] for w in words))]
        if "year" in params:
            found = [film for film in found if int(params["year"]) in self.years(film)]
        found.sort(key=lambda film: (-film.get("popularity", 0), film["id"]))
        page = int(params.get("page", 1))
        return {
            "page": page,
            "results": [self.entry(film) for film in found[(page - 1) * PAGE : page * PAGE]],
            "total_pages": -(-len(found) // PAGE) or 1,
            "total_results": len(found),
        }

    def prefixed(self, start):
        return set().union(*(ids for word, ids in self.by_word.items() if word.startswith(start)))

    @staticmethod
    def covers(title, words):
        return set(words[:-1]) <= set(title) and any(word.startswith(words[-1]) for word in title)

    @staticmethod
    def years(film):
        own = film.get("release_date") or ""
        return {*film.get("released", ()), *([int(own[:4])] if own else [])}

    @staticmethod
    def entry(film):
        return {
            "id": film["id"],
            "title": film["title"],
            "original_title": film.get("original_title", film["title"]),
            "release_date": film.get("release_date", ""),
            "popularity": film.get("popularity", 0),
            "vote_count": film.get("vote_count", 0),
        }


def play(recipe, item: Item, world: World):
    """Drive a recipe to its conclusion; returns the conclusion and the requests, in order."""
    flow, requests, answer = recipe(item), [], None
    while True:
        try:
            requests.append(flow.send(answer))
        except StopIteration as stop:
            return stop.value, requests
        answer = world.answer(requests[-1])
