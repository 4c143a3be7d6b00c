"""What is concluded where no film is found, and why: the reason that a table, a review file and a summary show.

A reason is our own words with at most the titles and years of films in it, so that it reads the same in every run. What
comes before its first colon, semicolon or bracket names its kind: a summary counts by that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...model import Candidate, NotFound, Unsure
from .matching import Film, Scored, Wanted

MOST_CANDIDATES = 10
"""As many as a person compares; the rest of a page of twenty is noise."""

WORTH_SHOWING = 45.0
"""Below this a candidate only clutters the list that a person decides from."""

UNDECIDED = 70.0
"""From this score on a candidate leaves a film unsure; below it there is no such film, whatever else was looked at.
The same name two or three years apart stays above it (a late release), four apart below (a remake, a series)."""

LONGEST_TITLE = 80

DECIDED_NONE = "a person decided that TMDB has no such film"
NO_TITLE = "no title and no id"
SERIES = "a series, not a film"
EPISODE = "an episode of a series, not a film"


def unknown_ids(ids: Sequence[str]) -> str:
    """That TMDB knows none of the row's ids, as the start of a reason; "" where there is none."""
    return f"TMDB knows no such id ({', '.join(ids)})" if ids else ""


def undecided(wish: Wanted, ranked: Sequence[Scored], first: str = "") -> NotFound | Unsure:
    """Unsure where something may be the film after all; what was looked at goes with either. `first` leads the reason."""
    shown = [one for one in ranked[:MOST_CANDIDATES] if one.score >= WORTH_SHOWING]
    reason = "; ".join(filter(None, [first, _reason(wish, shown)]))
    if shown and shown[0].score >= UNDECIDED:
        return Unsure(_candidates(shown), shown[0].score, reason)
    return NotFound(_candidates(shown), reason)


def contradicted(wish: Wanted, accused: Sequence[Scored], by_title: Sequence[Scored], first: str = "") -> Unsure:
    """Unsure, because the films of the row's ids (`accused`) are not what the row says; those found by title follow."""
    ids = {one.film.id for one in accused}
    others = [one for one in by_title if one.film.id not in ids and one.score >= WORTH_SHOWING]
    named = " and ".join(label(one.film) for one in accused)
    if wish.main:
        reason = f"the id is another film's: it is that of {named}, and the row says {_named(wish.main, wish.year)}"
    else:
        reason = f"the ids are of different films: {named}"
    reason = "; ".join(filter(None, [first, reason]))
    return Unsure(_candidates([*accused, *others][:MOST_CANDIDATES]), accused[0].score, reason)


def label(film: Film) -> str:
    """A film as a reason names it.

    >>> label(Film(603, "The Matrix", ("The Matrix",), 1999))
    'The Matrix (1999)'
    """
    return _named(film.title, film.year)


def _named(title: str, year: int | None) -> str:
    plain = " ".join("".join(one if one.isprintable() else " " for one in title).split())
    cut = plain if len(plain) <= LONGEST_TITLE else f"{plain[: LONGEST_TITLE - 1]}…"
    return f"{cut} (no year)" if year is None else f"{cut} ({year})"


def _reason(wish: Wanted, shown: Sequence[Scored]) -> str:
    near = "" if wish.year is None else f" near {wish.year}"
    named = [one for one in shown if one.same_name and one.gap in (0, 1, None)]
    no_year = "; the row has no year" if wish.year is None else ""
    if len(named) > 1:
        return f"{len(named)} films of this name{near}{no_year}"
    if named:
        return f"not sure enough: perhaps {label(named[0].film)}, {named[0].reason}{no_year}"
    nearest = f"; nearest: {label(shown[0].film)}, {shown[0].reason}" if shown else ""
    return f"no film of this name{near}{nearest}"


def _candidates(shown: Iterable[Scored]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            id=str(one.film.id),
            title=one.film.title,
            year="" if one.film.year is None else str(one.film.year),
            score=one.score,
            reason=one.reason,
            link=f"https://www.themoviedb.org/movie/{one.film.id}",
        )
        for one in shown
    )
