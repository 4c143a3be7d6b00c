"""What a row says of its kind: a film, or something that is none.

Rule 1: a wrong film is worse than none. A row that says it is a series, a season, an episode, a game is no film, whatever
the name of the column that says so.
Rule 2: a plain word for a film wins: TV movies, TV specials, shorts and anime movies are films.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from . import words

SERIES = "a series, not a film"
SEASON = "a season of a series, not a film"
EPISODE = "an episode of a series, not a film"
ANIME = "an anime series, not a film"
GAME = "a game, not a film"
NO_FILM = "not a film, as the row says"

_WORDS = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_UNFILLED = {"", "0", "00", "none", "null", "na", "nan", "false", "no", "s0e0"}

# Sites that tell films and series apart by their addresses.
_SERIES_LINK = re.compile(
    r"https?://(?:[\w-]+\.)*(?:themoviedb|tmdb|trakt|simkl|thetvdb|rottentomatoes|metacritic|justwatch|kinopoisk|filmweb"
    r"|allocine|senscritique|tvtime|serializd|tvmaze|moviepilot)\.\w+/(?:\w\w(?:-\w\w)?/)?"
    r"(?:tv|tv-shows?|tv-series|shows?|series?|serien|serie|serial|anime|dramas?)[/_]"
    r"|(?:com\.plexapp\.agents\.)?(?:the)?tvdb://|plex://(?:show|season|episode)/",
    re.IGNORECASE,
)
_SERIES_ID = re.compile(r"/?(?:tv|show)[/:-]\d+\S*", re.IGNORECASE)

# "White Collar: Season 2: Withdrawal" as Netflix writes it, "Friends S1E1" as TMDB and file names do.
_SEASON_NAMES = (
    "season|staffel|saison|temporada|stagione|seizoen|sezon|säsong|sæson|sesong|kausi|évad|sezóna|сезон|シーズン|시즌"
)
_EPISODE_TITLE = re.compile(
    rf":\s*(?:{_SEASON_NAMES})\s*\d+\s*(?::|$)"
    r"|:\s*(?:limited series|mini[- ]?series|mini[- ]?serie|mini[- ]?série|miniserien|serie limitada|série limitée)\s*:"
    r"|:\s*(?:part|teil|partie|parte|volume|series)\s*\d+\s*:\s*\S"
    r"|^(?!star wars).*:\s*(?:episode|folge|épisode|episodio|aflevering|odcinek|avsnitt)\s*\d+$"
    r"|\bS\d{1,2}\s?E\d{1,3}\b|^:\s*\S|\bS\d\d$|(?<=\S[\s._])\d{1,2}x\d\d\b",
    re.IGNORECASE,
)

# As in: Fargo (TV Series 2014–2024), Heat (Serie de TV).
_BRACKETS_BEHIND = re.compile(r"[(\[（]([^()\[\]（）]{2,60})[)\]）]\s*(?:[(\[（]\d{4}[)\]）]\s*)?$")
_FILLING_WORDS = {"de", "der", "da", "di", "the", "a", "original", "limited", "mini", "web", "animated"}
_YES_WORDS = {"1", "true", "yes", "y", "x", "✓", "✔", "ja", "oui", "si", "sí", "sim", "tak", "да"}


def kind_named(value: str) -> str | None:
    """What a cell such as `tvSeries` or "TV Movie" names: "" for a film, a reason for another thing, None for neither.

    >>> kind_named("tvMiniSeries"), kind_named("TV Special"), kind_named("Drama")
    ('a series, not a film', '', None)
    """
    value = value.strip()
    if not value or len(value) > 60:
        return None
    found = {words.folded(word) for word in _WORDS.findall(_CAMEL.sub(" ", value))} | {words.folded(value)}
    if found & words.GAME_WORDS:
        return GAME
    is_film = found & words.FILM_WORDS
    for name, those in words.OTHER_WORDS.items():
        if name == "a person" and not found <= those:  # "Director's Cut"
            continue
        if found & those and not (is_film and name not in words.NEVER_FILMS):
            return f"{name}, not a film"
    if is_film:
        return "" if is_film - words.MEDIUM_WORDS else None
    kinds = ((words.EPISODE_WORDS, EPISODE), (words.SEASON_WORDS, SEASON), (words.ANIME_WORDS, ANIME))
    for those, reason in (*kinds, (words.SERIES_WORDS, SERIES)):
        if found & those:
            return reason
    return SERIES if words.folded(value) in words.TELEVISION else None


def plain_kind(value: str) -> str | None:
    """As `kind_named`, of a column that usually says something else: the cell must be a kind and nothing more."""
    known = words.SERIES_WORDS | words.SEASON_WORDS | words.EPISODE_WORDS | words.ANIME_WORDS | words.GAME_WORDS
    return kind_named(value) if words.folded(value) in known | words.TELEVISION | words.FILM_WORDS else None


def are_kinds(cells: Iterable[str]) -> bool:
    """Whether a column of any name holds kinds and nothing else; "TV" is one only where "movie" is another."""
    found = {words.folded(cell[:60]) for cell in cells} - {""}
    plain = words.SERIES_WORDS | words.SEASON_WORDS | words.EPISODE_WORDS | words.ANIME_WORDS | words.GAME_WORDS
    named_film = found & words.FILM_NAMES
    told = found & plain or (found & words.TELEVISION and named_film)
    return (
        bool(told)
        and found <= plain | words.TELEVISION | words.FILM_NAMES
        and (bool(named_film) or not found & words.TELEVISION)
    )


def are_flags(cells: Iterable[str]) -> bool:
    """Whether a column holds yes and no and nothing else."""
    found = {cell[:60].strip().casefold() for cell in cells} - {""}
    return bool(found) and found <= _YES_WORDS | words.NO_WORDS


def flag(value: str, *, of_film: bool) -> str | None:
    """What a yes or no in a column such as "is movie" (`of_film`) or "is series" says; None if it is empty."""
    said = value.strip().casefold()
    if not said:
        return None
    no = said in words.NO_WORDS
    if of_film:
        return NO_FILM if no else ""
    return None if no else SERIES


def filled(value: str) -> bool:
    """Whether a cell for a season or an episode says something."""
    return words.folded(value) not in _UNFILLED


def of_links(cells: Iterable[str]) -> str | None:
    """A reason if one of these cells is the address of a series."""
    for cell in cells:
        if "://" in cell and len(cell) < 500 and _SERIES_LINK.match(cell.strip()):
            return SERIES
    return None


def of_id(cell: str) -> str | None:
    """A reason if an id says itself that it is a series', as `tv/1396` does."""
    return SERIES if _SERIES_ID.fullmatch(cell.strip()) else None


def of_title(title: str) -> str | None:
    """A reason if a title says itself that it is a series' or an episode's.

    >>> of_title("Fargo (TV Series 2014–2024)"), of_title("Heat (TV)")
    ('a series, not a film', None)
    """
    if _EPISODE_TITLE.search(title):
        return EPISODE
    if match := _BRACKETS_BEHIND.search(title):
        found = [words.folded(word) for word in _WORDS.findall(match[1])]
        named = [word for word in found if not (word.isdecimal() or word in _FILLING_WORDS | words.TELEVISION)]
        if named and all(word in words.SERIES_WORDS for word in named):
            return SERIES
    return None


def decided(said: Sequence[str | None]) -> str | None:
    """One answer from several columns: "" (a film) if one says so, else the first reason, None if none says anything."""
    if "" in said:
        return ""
    return next((one for one in said if one), None)
