"""Which of the films that a search returned is the one on the list? Pure functions, no guess.

**Certain is: one film says this name in this year, and no other does.** Two that do are a tie, which a person decides;
unless one of them has `OUTVOTES` times the votes of the others, as a well-known film has beside a student's short.
Everything that is less than the same name is proposed for a check against the film's alternative titles, which the
details answer brings at no extra request.

**A film may be known by a name that the search answer does not show**: "Die Jagd" finds *Jagten* by its German title. So
before a film is believed, a much better known result that no title of its own explains is checked (`rival`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .matching import ALIKE, ONLY_SMALL_WORDS, Scored, Wanted
from .titles import forms

WELL_KNOWN_VOTES = 1000
"""A film with so many votes is meant by a title without a year, if no other of that name is on the first two pages."""

OUTVOTES = 100
"""Of several films of one name and year, the one with so many times the votes of every other is meant."""

FAMOUS = ((1000, 20), (100, 25))
"""Without a year: of several films of one name, the one with at least so many votes and so many times the votes of every
other is meant. Of 1,101 films on real people's lists, 16 % have a namesake; this decides half of them, none wrongly."""

RIVAL_OUTVOTES = 10
"""A result with so many times the votes of the film that would be believed is worth one check of its other names."""

FEW = 3
"""A search that finds so few films found them by a name: each may go by another name, and is worth a check."""

WORTH_A_CHECK = 70.0
"""Where a search finds more, most were found by a common word: only names as strong as this are worth a check."""


def holders(wish: Wanted, ranked: Iterable[Scored], *, everywhere: bool) -> list[Scored]:
    """The films that say this name in this year: one settles it, several are a tie, none leaves it open.

    `everywhere`: the search was not narrowed to the year, and (where no year is wanted) every page was seen. Only then
    may a film of a neighbouring year, or of any year where none is wanted, stand alone: the same name may be just
    outside. Of several, the one that answers to more readings is told apart by them ("Mother (Madeo)").
    """
    named = [one for one in ranked if one.same_name]
    if wish.year is not None:
        named = [one for one in named if one.gap == 0] or [one for one in named if one.gap == 1 and everywhere]
    most = max((one.agreed for one in named), default=0)
    held = [one for one in named if one.agreed == most]
    if wish.year is None and len(held) == 1 and not _beyond_doubt(wish, held[0], everywhere=everywhere):
        return []
    return held


def _beyond_doubt(wish: Wanted, one: Scored, *, everywhere: bool) -> bool:
    # Without a year, a second name that the only holder does not answer to speaks for another film.
    return one.agreed > bool(wish.other_names) and (everywhere or one.film.votes >= WELL_KNOWN_VOTES)


def believable(ranked: list[Scored], *, everywhere: bool) -> Scored | None:
    """The film to believe in where none has the very name: nearly the name, the very year, and no rival.

    A neighbouring year is believed of a name that lacks small words only, and where `everywhere` was searched (as in
    `holders`). None where a year is unknown, and where a second film is as near or has the very name a year apart.
    """
    rivals = [one for one in ranked if one.strength >= ALIKE and one.gap in (0, 1)]
    best = next((one for one in rivals if one.gap == 0), None)
    if best is None and everywhere:
        best = next((one for one in rivals if one.strength >= ONLY_SMALL_WORDS), None)
    if best is None or any(one.same_name or _as_near(one, best) for one in rivals if one is not best):
        return None
    return best


def _as_near(one: Scored, best: Scored) -> bool:
    # An article is less of a difference than a subtitle: American is The American rather than American: The Bill …
    return one.gap == best.gap and not best.strength >= ONLY_SMALL_WORDS > one.strength


def outvoting(held: Sequence[Scored]) -> Scored | None:
    """The film that holds the name; of several, the one that is so much better known that it is meant: by `OUTVOTES` in
    the very year, by `FAMOUS` where a year is unknown.

    None where there is none such, and where its name is a translation only: the list may mean the other one.
    """
    best, *others = sorted(held, key=lambda one: -one.film.votes)
    if not others:
        return best
    votes, most = best.film.votes, max(one.film.votes for one in others)
    if not best.own_name:
        return None
    if best.gap == 0:
        return best if votes >= OUTVOTES * max(most, 1) else None
    famous = any(votes >= least and votes >= times * most for least, times in FAMOUS)
    return best if famous and all(one.gap is None for one in held) else None


def rival(wish: Wanted, ranked: Iterable[Scored], chosen: Scored) -> Scored | None:
    """The result that must be checked before `chosen` is believed; None where there is none.

    It is near in time (released in the year of `chosen`, somewhere), far better known, and was found by a name that the
    answer does not show, or by one that differs in small words only.
    """
    least = RIVAL_OUTVOTES * max(chosen.film.votes, RIVAL_OUTVOTES)
    near = [
        one
        for one in ranked
        if one.gap in (chosen.gap, None if chosen.gap is None else 1)
        and not one.same_name
        and one.film.votes >= least
        and (one.strength >= ONLY_SMALL_WORDS or not _explained(wish, one))
    ]
    return max(near, key=lambda one: (one.film.votes, -one.film.id), default=None)


def overshadowed(ranked: Iterable[Scored], chosen: Scored) -> bool:
    """Whether a film of this very name, one year beside, has `OUTVOTES` times the votes of the one in the very year: which
    of two years a list means is less sure than that.
    """
    least = OUTVOTES * max(chosen.film.votes, 1)
    return chosen.gap == 0 and any(one.own_name and one.gap == 1 and one.film.votes >= least for one in ranked)


def _explained(wish: Wanted, one: Scored) -> bool:
    """Whether a title of its own holds the words that were searched for."""
    asked = set(forms(wish.main).core.split())
    return any(asked <= set(forms(title).core.split()) for title in one.film.titles)


def worth_a_check(ranked: Iterable[Scored], *, everywhere: bool, whole: bool = True) -> list[Scored]:
    """Those whose other names may be the one wanted, best first. `whole`: they were found by a whole name."""
    near = [one for one in ranked if one.gap in ((0, 1, None) if everywhere else (0,))]
    return near if whole and len(near) <= FEW else [one for one in near if one.strength >= WORTH_A_CHECK]
