"""A tiny TMDB in memory to play recipes against, and the ways in which lists spoil titles.

The world answers as the real service does, by shape and by behaviour: titles, original titles and alternative titles
are searched, `year` narrows to films released in it, results come by popularity, twenty a page.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict

from enricher.model import Answer, Item, Service

SERVICE = Service("tmdb", "https://api.themoviedb.org/3")
PAGE = 20


def plain(text):
    """Without accents, as most people type."""
    return "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))


def words(text):
    """Words as a search engine sees them: no case, no accents, cut at everything that is neither letter nor digit."""
    return re.findall(r"[^\W_]+", plain(text.casefold().replace("½", " 1 2").replace("'", "").replace("’", "")))


def titles(film):
    others = [*film.get("alternative_titles", []), *film.get("translations", [])]
    return [film["title"], film.get("original_title", film["title"]), *others]


def year_of(film):
    return int(film["release_date"][:4]) if film.get("release_date") else None


class World:
    """`strict`: every word of the query must be in one title, the last as its beginning; else any one word will do.
    `series` are the IMDb ids of series.
    """

    def __init__(self, films, *, strict=True, series=()):
        self.series = series
        self.films = {film["id"]: film for film in films}
        self.strict = strict
        self.by_word = defaultdict(set)
        for film in films:
            for word in {word for title in titles(film) for word in words(title)}:
                self.by_word[word].add(film["id"])

    def answer(self, request):
        """The answer that the service would give to a request."""
        name = request.path.rpartition("/")[2]
        if request.kind == "search":
            data = self.search(request.params)
            return Answer(200, data, b"", missing=not data["results"])
        if request.kind == "find":
            found = [entry(film) for film in self.films.values() if film.get("imdb_id") == name]
            shows = [{"id": 1396, "name": "A series"}] if name in self.series else []
            return Answer(200, {"movie_results": found, "tv_results": shows}, b"", missing=not found)
        film = self.films.get(int(name))
        if film is None:
            return Answer(404, {"success": False, "status_code": 34}, b"", missing=True)
        parts = request.params["append_to_response"].split(",")
        others = [{"iso_3166_1": "US", "title": title, "type": ""} for title in film.get("alternative_titles", [])]
        appended = {"alternative_titles": {"titles": others}} if "alternative_titles" in parts else {}
        if "translations" in parts:
            translated = [{"iso_639_1": "de", "data": {"title": title}} for title in film.get("translations", [])]
            appended["translations"] = {"translations": translated}
        return Answer(200, {**entry(film), "imdb_id": film.get("imdb_id"), **appended}, b"")

    def search(self, params):
        """One page of `/search/movie`."""
        asked = words(params["query"])
        found = [self.films[one] for one in self.matching(asked)] if asked else []
        if "year" in params:
            year = int(params["year"])
            found = [film for film in found if year in (year_of(film), *film.get("also_released", ()))]
        found.sort(key=lambda film: (-film.get("popularity", 0), film["id"]))
        page = int(params.get("page", 1))
        results = [entry(film) for film in found[(page - 1) * PAGE : page * PAGE]]
        return {"page": page, "results": results, "total_pages": -(-len(found) // PAGE), "total_results": len(found)}

    def matching(self, asked):
        if not self.strict:
            return set().union(*(self.by_word.get(word, set()) for word in asked))
        *whole, last = asked
        begun = (ids for word, ids in self.by_word.items() if word.startswith(last))
        near = set.intersection(*(self.by_word.get(word, set()) for word in whole)) if whole else set().union(*begun)
        return {one for one in near if any(covers(words(title), whole, last) for title in titles(self.films[one]))}


def covers(title, whole, last):
    return set(whole) <= set(title) and any(word.startswith(last) for word in title)


def entry(film):
    """A film as search results show it."""
    kept = ("id", "title", "release_date", "popularity", "vote_count")
    return {"original_title": film["title"], **{key: film[key] for key in (*kept, "original_title") if key in film}}


def play(recipe, item, world):
    """Drive a recipe to its conclusion; returns it and the requests, in order."""
    flow, requests, answer = recipe(item), [], None
    while True:
        try:
            requests.append(flow.send(answer))
        except StopIteration as stop:
            return stop.value, requests
        answer = world.answer(requests[-1])


def ask(recipe, world, title, year=None, **fields):
    """What a recipe concludes about a title."""
    return play(recipe, Item("film", {"title": title, "year": year, **fields}), world)[0]


# ── how lists spoil titles ──────────────────────────────────────────────────────────────────────────────────────────

_ROMAN = {"2": "II", "3": "III", "4": "IV", "5": "V", "6": "VI", "7": "VII", "8": "VIII"}
_ARABIC = {roman: arabic for arabic, roman in _ROMAN.items() if len(roman) > 1}


def _each_word(title, mapping):
    return " ".join(mapping.get(word, word) for word in title.split(" "))


def spoilings(film):
    """Name of the spoiling → the title and year a list may have, for each that changes this film."""
    title, original, year = film["title"], film.get("original_title", film["title"]), year_of(film)
    moved = re.sub(r"^(The|A|An|Le|La|Les|Der|Die|Das|Il|El) (.+)$", r"\2, \1", title)
    spoilt = {
        "as it is": (title, year),
        "a year early": (title, year - 1),
        "a year late": (title, year + 1),
        "article moved": (moved, year),
        "article dropped": (re.sub(r"^(The|A|An) ", "", title), year),
        "original title": (original, year),
        "original in brackets": (title if original == title else f"{title} ({original})", year),
        "year in the title": (f"{title} ({year})", None if len(words(title)) > 3 else year),
        "accents dropped": (plain(title), year),
        "punctuation dropped": (" ".join(re.sub(r"[^\w\s&½]", " ", title).split()) or title, year),
        "hyphens to spaces": (title.replace("-", " "), year),
        "dashes": (title.replace(" - ", " – ").replace(": ", " – "), year),
        "and": (title.replace(" & ", " and "), year),
        "ampersand": (title.replace(" and ", " & "), year),
        "roman": (_each_word(title, _ROMAN), year),
        "arabic": (_each_word(title, _ARABIC), year),
        "no-break spaces": (title.replace(" ", "\xa0"), year),
        "curly apostrophes": (title.replace("'", "’"), year),
        "upper case": (title.upper(), year),
        "half": (title.replace("½", " 1/2").strip(), year),
    }
    head = re.split(r": | or | - ", title)[0]
    if len(words(head)) > 1:
        spoilt["subtitle cut"] = (head, year)
    same = (title, year)
    return {name: one for name, one in spoilt.items() if one != same or name == "as it is"}
