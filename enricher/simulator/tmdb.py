"""The simulated TMDB v3: routes and the shapes of their answers, as recorded from the real one.

Only what a client of films asks for is here: search, details with appended parts, find by IMDb identifier, the
configuration; and `/3/echo`, which TMDB has not, for benchmarks of transports. An answer is rendered once and kept as
bytes, because a server that spends its core on JSON would measure itself.

Overviews, taglines and keywords are composed from facts; numbers such as votes are computed from the identifier.
`language` gives the original title where it is the film's own language, else a translation, else English.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import accumulate
from typing import Any

from aiohttp import web

from .behaviour import chance
from .catalogue import SERIES, Catalogue, Film

PAGE_SIZE = 20
MOST_PAGES = 500
MOST_PARTS = 20
LARGEST_ID = 2**31 - 1

# Status → TMDB's own code and message (https://developer.themoviedb.org/docs/errors).
_REFUSALS = {
    401: (7, "Invalid API key: You must be granted a valid key."),
    404: (34, "The resource you requested could not be found."),
    405: (4, "This service doesn't exist in that format."),
    429: (25, "Your request count (41) is over the allowed limit of (40)."),
    500: (11, "Internal error: Something went wrong, contact TMDB."),
    502: (43, "Couldn't connect to the backend server."),
    503: (9, "Service offline: This service is temporarily offline, try again later."),
    504: (24, "Your request to the backend server timed out. Try again."),
}
_GENRES = {
    "Action": (28, "Action"), "Adventure": (12, "Adventure"), "Animation": (16, "Animation"), "Comedy": (35, "Comedy"),
    "Crime": (80, "Crime"), "Documentary": (99, "Documentary"), "Drama": (18, "Drama"), "Family": (10751, "Family"),
    "Fantasy": (14, "Fantasy"), "History": (36, "History"), "Horror": (27, "Horror"), "Music": (10402, "Music"),
    "Mystery": (9648, "Mystery"), "Romance": (10749, "Romance"), "SciFi": (878, "Science Fiction"),
    "TV": (10770, "TV Movie"), "Thriller": (53, "Thriller"), "War": (10752, "War"), "Western": (37, "Western"),
}  # fmt: skip
_COUNTRIES = {
    "AR": "Argentina", "AT": "Austria", "AU": "Australia", "BE": "Belgium", "BR": "Brazil", "CA": "Canada",
    "CH": "Switzerland", "CL": "Chile", "CN": "China", "CO": "Colombia", "CU": "Cuba", "CZ": "Czech Republic",
    "DE": "Germany", "DK": "Denmark", "DZ": "Algeria", "ES": "Spain", "FI": "Finland", "FR": "France",
    "GB": "United Kingdom", "GE": "Georgia", "GR": "Greece", "HK": "Hong Kong", "HU": "Hungary", "ID": "Indonesia",
    "IE": "Ireland", "IL": "Israel", "IN": "India", "IR": "Iran", "IS": "Iceland", "IT": "Italy", "JP": "Japan",
    "KR": "South Korea", "LB": "Lebanon", "LU": "Luxembourg", "MX": "Mexico", "NL": "Netherlands", "NO": "Norway",
    "NZ": "New Zealand", "PL": "Poland", "PT": "Portugal", "RO": "Romania", "RU": "Russia", "SE": "Sweden",
    "SN": "Senegal", "SU": "Soviet Union", "TH": "Thailand", "TR": "Turkey", "TW": "Taiwan", "UA": "Ukraine",
    "US": "United States of America", "XC": "Czechoslovakia", "XG": "East Germany", "YU": "Yugoslavia",
    "ZA": "South Africa",
}  # fmt: skip
_LANGUAGES = {
    "ar": ("العربية", "Arabic"), "cn": ("广州话 / 廣州話", "Cantonese"), "cs": ("Český", "Czech"), "da": ("Dansk", "Danish"),
    "de": ("Deutsch", "German"), "el": ("ελληνικά", "Greek"), "en": ("English", "English"), "es": ("Español", "Spanish"),
    "fa": ("فارسی", "Persian"), "fi": ("suomi", "Finnish"), "fr": ("Français", "French"), "he": ("עִבְרִית", "Hebrew"),
    "hi": ("हिन्दी", "Hindi"), "hu": ("Magyar", "Hungarian"), "id": ("Bahasa indonesia", "Indonesian"),
    "is": ("Íslenska", "Icelandic"), "it": ("Italiano", "Italian"), "ja": ("日本語", "Japanese"),
    "ko": ("한국어/조선말", "Korean"), "nl": ("Nederlands", "Dutch"), "no": ("Norsk", "Norwegian"),
    "pl": ("Polski", "Polish"),
    "pt": ("Português", "Portuguese"), "ro": ("Română", "Romanian"), "ru": ("Pусский", "Russian"),
    "sv": ("svenska", "Swedish"), "bn": ("বাংলা", "Bengali"), "te": ("తెలుగు", "Telugu"), "th": ("ภาษาไทย", "Thai"),
    "tr": ("Türkçe", "Turkish"), "uk": ("Український", "Ukrainian"), "wo": ("Wolof", "Wolof"),
    "zh": ("普通话", "Mandarin"), "sr": ("Srpski", "Serbian"), "ka": ("ქართული", "Georgian"),
}  # fmt: skip
_CONFIGURATION = {
    "images": {
        "base_url": "http://image.tmdb.org/t/p/",
        "secure_base_url": "https://image.tmdb.org/t/p/",
        "backdrop_sizes": ["w300", "w780", "w1280", "original"],
        "logo_sizes": ["w45", "w92", "w154", "w185", "w300", "w500", "original"],
        "poster_sizes": ["w92", "w154", "w185", "w342", "w500", "w780", "original"],
        "profile_sizes": ["w45", "w185", "h632", "original"],
        "still_sizes": ["w92", "w185", "w300", "original"],
    },
    "change_keys": ["adult", "budget", "cast", "crew", "genres", "release_dates", "runtime", "title", "translations"],
}
_PADDING_MARK = {"padding": True}
_PADDING_MARK_JSON = b'{"padding":true}'


class Tmdb:
    """TMDB's routes over a catalogue, and its dialect (`world.Dialect`).

    `details_bytes`: an answer that holds credits is padded with invented people until it has at least that size.
    """

    def __init__(self, catalogue: Catalogue, details_bytes: int = 0) -> None:
        self._catalogue = catalogue
        self._details_bytes = details_bytes
        # Kept as bytes; 2,048 answers of a real one's 40 KB are 80 MB, and small ones cost next to nothing.
        self._details_body = lru_cache(maxsize=2048)(self._render_details)
        self._search_body = lru_cache(maxsize=8192)(self._render_search)

    def prepare(self) -> None:
        """Read the films, index their titles and invent the padding now: the first request is no slower than the others."""
        self._catalogue.search("prepare")
        if self._details_bytes:
            for people in ("cast", "crew"):
                _padding_people(people)

    # ── dialect ────────────────────────────────────────────────────────────────────────────────────────────────────

    def admits(self, request: web.Request, key: str | None) -> bool:
        """Whether `api_key` or a bearer token is `key`; any that is not empty where `key` is None."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        given = request.query.get("api_key", "") or (token if scheme == "Bearer" else "")
        return given == key if key is not None else bool(given)

    def refusal(self, status: int) -> bytes:
        """TMDB's body for an error status."""
        return _refusal(*_REFUSALS.get(status, _REFUSALS[500]))

    # ── routes ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def routes(self) -> list[web.RouteDef]:
        """The routes under /3; a route's name is its kind in the statistics."""
        return [
            web.get("/3/search/movie", self._search, name="search"),
            web.get("/3/movie/{id}", self._details, name="details"),
            web.get("/3/find/{id}", self._find, name="find"),
            web.get("/3/configuration", self._configuration, name="configuration"),
            web.get("/3/echo", self._echo, name="echo"),
        ]

    async def _search(self, request: web.Request) -> web.Response:
        return self.search(request.query)

    async def _details(self, request: web.Request) -> web.Response:
        return self.details(request.match_info["id"], request.query)

    async def _find(self, request: web.Request) -> web.Response:
        return self.find(request.match_info["id"], request.query)

    def search(self, asked: Mapping[str, str]) -> web.Response:
        """`/search/movie`, by its parameters."""
        if not asked.get("query"):
            return _json(b'{"errors":["query must be provided"]}', 422)
        page = _number(asked.get("page", "1"))
        if page is None or not 1 <= page <= MOST_PAGES:
            message = "Invalid page: Pages start at 1 and max at 500. They are expected to be an integer."
            return _json(_refusal(22, message), 400)
        return _json(
            self._search_body(
                asked["query"],
                _number(asked.get("year", "")),
                _number(asked.get("primary_release_year", "")),
                asked.get("language", "")[:2],
                page,
                asked.get("include_adult") == "true",
            )
        )

    def _render_search(
        self, query: str, year: int | None, primary_year: int | None, language: str, page: int, adult: bool
    ) -> bytes:
        found = self._catalogue.search(query, year, primary_year, include_adult=adult)
        start = (page - 1) * PAGE_SIZE
        return _bytes(
            {
                "page": page,
                "results": [_summary(film, language) for film in found[start : start + PAGE_SIZE]],
                "total_pages": -(-len(found) // PAGE_SIZE),
                "total_results": len(found),
            }
        )

    def details(self, number: str, asked: Mapping[str, str]) -> web.Response:
        """`/movie/{number}`, by its parameters."""
        identifier = _number(number)
        if identifier is None:
            return _json(_refusal(6, "Invalid id: The pre-requisite id is invalid or not found."), 404)
        if identifier > LARGEST_ID:
            return _json(_refusal(44, "The ID is invalid."), 500)
        wanted = [part.strip() for part in asked.get("append_to_response", "").split(",")]
        if len(wanted) > MOST_PARTS:
            message = "Too many append to response objects: The maximum number of remote calls is 20."
            return _json(_refusal(27, message), 400)
        parts = tuple(part for part in _PARTS if part in wanted)
        body = self._details_body(identifier, parts, asked.get("language", "")[:2])
        return _json(self.refusal(404), 404) if body is None else _json(body)

    def _render_details(self, identifier: int, parts: tuple[str, ...], language: str) -> bytes | None:
        film = self._catalogue.get(identifier)
        if film is None:
            return None
        details = _full(film, language)
        details.update((part, _PARTS[part](film)) for part in parts)
        if "credits" not in parts or not self._details_bytes:
            return _bytes(details)
        for people in ("cast", "crew"):
            details["credits"][people].append(_PADDING_MARK)
        head, middle, tail = _bytes(details).split(b"," + _PADDING_MARK_JSON)
        missing = max(self._details_bytes - len(head) - len(middle) - len(tail), 0)
        return head + _padding("cast", missing // 2) + middle + _padding("crew", missing - missing // 2) + tail

    def find(self, number: str, asked: Mapping[str, str]) -> web.Response:
        """`/find/{number}`, by its parameters."""
        source = asked.get("external_source")
        if source is None:
            return _json(_refusal(5, "Invalid parameters: Your request parameters are incorrect."), 400)
        film = self._catalogue.by_imdb(number) if source == "imdb_id" else None
        language = asked.get("language", "")[:2]
        found = [] if film is None else [{**_summary(film, language), "media_type": "movie"}]
        series = SERIES.get(number) if source == "imdb_id" else None
        shows = [] if series is None else [{"id": series[0], "name": series[1], "media_type": "tv"}]
        return _json(
            _bytes(
                {
                    "movie_results": found,
                    "person_results": [],
                    "tv_results": shows,
                    "tv_episode_results": [],
                    "tv_season_results": [],
                }
            )
        )

    async def _configuration(self, _request: web.Request) -> web.Response:
        return _json(_bytes(_CONFIGURATION))

    async def _echo(self, request: web.Request) -> web.Response:
        """An answer of about `bytes` bytes that names the `id` it was asked with."""
        size = _number(request.query.get("bytes", "2048"))
        head = json.dumps({"id": request.query.get("id", "")}).encode()[:-1] + b', "padding": "'
        return _json(head + b"x" * max(0, (size or 0) - len(head) - 2) + b'"}')


# ── shapes ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(body=body, status=status, headers={"Content-Type": "application/json;charset=utf-8"})


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # json.dumps would build one a call


def _bytes(value: Any) -> bytes:
    return _encode(value).encode()


@lru_cache(maxsize=32)
def _refusal(code: int, message: str) -> bytes:
    return _bytes({"success": False, "status_code": code, "status_message": message})


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


@lru_cache(maxsize=65_536)
def _hash(*parts: object) -> int:
    """A number that looks like one of TMDB's identifiers and belongs to the parts."""
    return 1 + int(chance(0, *parts) * 3_000_000)


def _picture(film: Film, what: str) -> str | None:
    return None if film.id % 23 == 7 else f"/{_hash(what, film.id):07x}{film.id:x}.jpg"


def _title(film: Film, language: str) -> str:
    if language == film.language:
        return film.original_title
    return dict(film.translations).get(language, film.title)


def _overview(film: Film) -> str:
    genres = "/".join(_GENRES[genre][1] for genre in film.genres)
    countries = " and ".join(_COUNTRIES.get(country, country) for country in film.countries)
    cast = f", with {', '.join(film.cast[:3])}" if film.cast else ""
    return f"{genres} from {countries}, {film.year}. Directed by {' and '.join(film.directors)}{cast}."


def _summary(film: Film, language: str) -> dict[str, Any]:
    """A film as search and find show it."""
    return {
        "adult": film.adult,
        "backdrop_path": _picture(film, "backdrop"),
        "genre_ids": [_GENRES[genre][0] for genre in film.genres],
        "id": film.id,
        "original_language": film.language,
        "original_title": film.original_title,
        "overview": _overview(film),
        "popularity": film.popularity,
        "poster_path": _picture(film, "poster"),
        "release_date": film.date,
        "title": _title(film, language),
        "video": False,
        "vote_average": round(5 + 4 * chance(0, "votes", film.id), 3),
        "vote_count": film.votes,
    }


def _full(film: Film, language: str) -> dict[str, Any]:
    """A film as its details show it, without appended parts."""
    native, english = _LANGUAGES.get(film.language, ("", film.language))
    summary = _summary(film, language)
    del summary["genre_ids"]
    return {
        **summary,
        "belongs_to_collection": None,
        "budget": 0,
        "genres": [{"id": _GENRES[genre][0], "name": _GENRES[genre][1]} for genre in film.genres],
        "homepage": "",
        "imdb_id": film.imdb_id,
        "origin_country": list(film.countries[:1]),
        "production_companies": [],
        "production_countries": [
            {"iso_3166_1": country, "name": _COUNTRIES.get(country, country)} for country in film.countries
        ],
        "revenue": 0,
        "runtime": film.runtime,
        "spoken_languages": [{"english_name": english, "iso_639_1": film.language, "name": native}],
        "status": "Released",
        "tagline": f"{film.year}, by {film.directors[0]}." if film.directors and film.id % 3 else "",
    }


def _person(name: str, department: str, popularity: float) -> dict[str, Any]:
    return {
        "adult": False,
        "gender": 0,
        "id": _hash("person", name),
        "known_for_department": department,
        "name": name,
        "original_name": name,
        "popularity": popularity,
        "profile_path": f"/{_hash('profile', name):07x}.jpg",
    }


def _cast(name: str, order: int) -> dict[str, Any]:
    return {
        **_person(name, "Acting", round(30 / (order + 1), 3)),
        "cast_id": order + 1,
        "character": "",
        "credit_id": f"{_hash('credit', name, order):024x}",
        "order": order,
    }


def _crew(name: str, department: str, job: str) -> dict[str, Any]:
    return {
        **_person(name, department, 2.5),
        "credit_id": f"{_hash('credit', name, job):024x}",
        "department": department,
        "job": job,
    }


def _credits(film: Film) -> dict[str, Any]:
    return {
        "cast": [_cast(name, order) for order, name in enumerate(film.cast)],
        "crew": [_crew(name, "Directing", "Director") for name in film.directors],
    }


def _external_ids(film: Film) -> dict[str, Any]:
    nothing = dict.fromkeys(("wikidata_id", "facebook_id", "instagram_id", "twitter_id"))
    return {"imdb_id": film.imdb_id, **nothing}


def _keywords(film: Film) -> dict[str, Any]:
    names = [f"{film.year // 10 * 10}s", *(f"{_GENRES[genre][1].lower()} film" for genre in film.genres)]
    return {"keywords": [{"id": _hash("keyword", name), "name": name} for name in names]}


def _alternative_titles(film: Film) -> dict[str, Any]:
    return {"titles": [{"iso_3166_1": country, "title": title, "type": ""} for country, title in film.other_titles]}


def _translations(film: Film) -> dict[str, Any]:
    entries = [
        {"iso_639_1": language, "english_name": _LANGUAGES[language][1], "data": {"title": title, "overview": ""}}
        for language, title in film.translations
    ]
    return {"translations": entries}


_PARTS: dict[str, Callable[[Film], dict[str, Any]]] = {
    "credits": _credits,
    "external_ids": _external_ids,
    "keywords": _keywords,
    "alternative_titles": _alternative_titles,
    "translations": _translations,
}


@lru_cache(maxsize=2)
def _padding_people(people: str) -> tuple[bytes, list[int]]:
    """Invented people as JSON, each after a comma, and where each one ends. 2,000 of them are 600 KB."""
    rows = [
        b","
        + _bytes(
            _cast(f"Extra {number}", 100 + number) if people == "cast" else _crew(f"Hand {number}", "Crew", "Hand")
        )
        for number in range(2000)
    ]
    return b"".join(rows), list(accumulate(map(len, rows), initial=0))


def _padding(people: str, size: int) -> bytes:
    """At least `size` bytes of people, and at most all of them."""
    rows, ends = _padding_people(people)
    return rows[: ends[min(bisect_left(ends, size), len(ends) - 1)]]
