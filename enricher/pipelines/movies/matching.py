"""Which of the films that a search returned is the one on the list? Pure functions, no guess.

**Titles are read, not compared.** A title on a list may hold several readings: "House (Hausu)" is *House* or *Hausu*,
"Matrix, The" is *The Matrix*. A film has titles of its own: the title, the original title, later its alternative ones.
The strength of a pair is that of its best reading against its best title, in steps rather than on one fuzzy scale,
because the steps fail in different ways:

    100  the same words          case, punctuation, `&`, numerals (II = 2), number words, moved articles apart
     99  the same letters        spacing apart: WALL·E, Face/Off, L.A. Confidential
     98  the same without accents
     97  the same with a lone V or X at the end as a number (Rocky V = Rocky 5; Malcolm X stays what it is above)
     95  an article missing      Matrix = The Matrix
     93  only small words differ, or "The Movie" at the end
     90  the list has the film's head: Birdman = Birdman or (The Unexpected …)
  87-88  one is the other's tail: The Road Warrior = Mad Max 2: The Road Warrior
     77  the film has the list's head: too often a companion of the same year (Watchmen: Tales of …), so it is checked,
         never believed. Head against head is nothing at all: all of "Star Wars: …" would be one film
    ≤86  similar spelling (rapidfuzz), and only where the numbers agree: Rocky II is not Rocky III

**The year is checked here, whatever the search did with it**: searching for House in 1977 returns films of 1976. TMDB's
year differs from a list's by one in 3 % of films and by more in 0.1 %, so one year off is weaker than the same year,
and two are never accepted.

**Certain is: one film says this name in this year, and no other does.** Two that do are a tie, whatever their
popularity: a person decides. Everything that is less than the same name is proposed for a check against the film's
alternative titles (`confirmed`), which the details answer brings at no extra request.

No script is thrown away: only Latin, Greek and Cyrillic letters lose their accents, ハウス stays ハウス.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from rapidfuzz import fuzz

SAME_NAME = 96.0
"""From here on two titles are one name. Below it a film needs its year, and no rival, to be believed."""

ONLY_SMALL_WORDS = 93.0
"""From here on two titles differ in articles and other small words at most."""

PART_OF_NAME = 87.0
"""From here on one title is the other's head or tail."""

ALIKE = 80.0
"""From here on a similar spelling (0.86 × a ratio of 93: one letter of ten) is believed, in the very year and without a
rival."""

WELL_KNOWN_VOTES = 1000
"""A film with so many votes is meant by a title without a year, if no other of that name is on the first two pages."""

WORTH_SHOWING = 45.0
"""Below this a candidate only clutters the list that a person decides from."""

UNDECIDED = 70.0
"""From this score on a candidate leaves a film unsure; below it there is no such film, whatever else was looked at.
The same name two or three years apart stays above it (a late release), four apart below (a remake, a series)."""

_YEAR_PENALTY = {0: 0.0, 1: 4.0, 2: 20.0, 3: 25.0}
_YEAR_FAR = 40.0
_YEAR_UNKNOWN = 8.0

# ── normal forms ────────────────────────────────────────────────────────────────────────────────────────────────────

# fmt: off
_ARTICLES = frozenset({
    "the", "a", "an", "le", "la", "les", "un", "une", "der", "die", "das", "ein", "eine", "il", "lo", "gli", "i", "uno",
    "una", "el", "los", "las", "o", "os", "as", "um", "uma", "de", "het", "een", "den", "det", "en", "ett", "et",
})
_ELIDED = ("l'", "un'", "d'")
# Articles that open an English, French, German, Italian or Spanish title so often that a list drops them. The short
# ones of the other languages are words of their own in English ("As", "I", "O", "En"), so that only a comma marks them.
_LEADING = frozenset({
    "the", "a", "an", "le", "la", "les", "un", "une", "der", "die", "das", "ein", "eine", "il", "lo", "gli", "el", "los",
    "las",
})
_SMALL_WORDS = _LEADING | {"and", "et", "und", "y", "of", "in", "on", "at", "to", "de", "du"}

_NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)
# fmt: on
_NUMBER_WORDS = {word: str(number) for number, word in enumerate(_NUMBERS)}
_SHORT_WORDS = {"versus": "vs", "doctor": "dr", "mister": "mr", "volume": "vol", "saint": "st"}
_COUNTED = {"part", "episode", "chapter", "vol", "book", "teil", "partie", "parte", "kapitel"}
_ROMAN = re.compile(r"x{0,3}(?:ix|iv|v?i{0,3})")
_ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10}

_APOSTROPHES = dict.fromkeys(map(ord, "'’‘ʼ`´′‛＇ʹ"), None)
_EXTRA_LATIN = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d", "ħ": "h", "ŋ": "n"}
)


_NO_WORD = re.compile(r"[^a-z0-9]+")


def _plain(title: str) -> str:
    """NFKC and case folded, with fractions spelt as digits and one kind of space. Still holds its punctuation."""
    text = title.replace("½", " 1/2")
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _is_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def _words(plain: str) -> list[str]:
    text = plain.translate(_APOSTROPHES).replace("&", " and ").replace("+", " and ").replace("and a half", "1 2")
    if text.isascii():
        return _NO_WORD.sub(" ", text).split()
    return "".join(character if _is_word(character) else " " for character in text).split()


def _roman(word: str) -> str | None:
    if not _ROMAN.fullmatch(word):
        return None
    digits = [_ROMAN_DIGITS[letter] for letter in word]
    return str(sum(-one if one < after else one for one, after in zip(digits, [*digits[1:], 0], strict=True)))


def _canonical(words: list[str]) -> list[str]:
    """Numbers in digits (II, two → 2; a lone I, V or X only where something is counted), common words in their short form."""
    result = []
    for position, word in enumerate(words):
        counted = position > 0 and words[position - 1] in _COUNTED
        if len(word) > 1 or counted:
            word = _roman(word) or _NUMBER_WORDS.get(word) or _SHORT_WORDS.get(word) or word
        result.append(word)
    return result


@lru_cache(maxsize=8192)
def _fold(text: str) -> str:
    """Without the accents of Latin, Greek and Cyrillic letters; other scripts' marks are part of their letters."""
    if text.isascii():
        return text
    kept: list[str] = []
    foldable = False
    for character in unicodedata.normalize("NFD", text):
        if unicodedata.combining(character):
            if foldable:
                continue
        else:
            foldable = "LATIN" in (name := unicodedata.name(character, "")) or "GREEK" in name or "CYRILLIC" in name
        kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept)).translate(_EXTRA_LATIN)


def _bare(words: list[str]) -> str:
    """Letters without accents, spaces and the leading article (unless that is all there is)."""
    if len(words) > 1 and words[0] in _LEADING:
        words = words[1:]
    return _fold("".join(words))


def _core(plain: str) -> str:
    # Apostrophes stay: how "Porky's" is cut into words is the search's own affair.
    kept = "".join(one if _is_word(one) or ord(one) in _APOSTROPHES else " " for one in plain)
    carrying = [word for word in kept.split() if word not in _SMALL_WORDS]
    named = [word for word in carrying if not (word.isdigit() or _roman(word) or word in _NUMBER_WORDS)]
    return " ".join(named or carrying)


# Where a subtitle begins: a colon, a dash between spaces, a bracket, a slash between spaces, "or" as in "Birdman or (…".
_CUT = re.compile(r"\s*[:;(\[]\s*|\s+[-–—―/|~]+\s+|,?\s+or[:,]?\s+|\s+a\.?k\.?a\.?\s+")


class Forms:
    """All that one title is compared by. The cheap half is computed at once, the rest on first use."""

    def __init__(self, title: str) -> None:
        self._plain = _plain(title)
        self._list = _canonical(_words(self._plain))
        self.key = " ".join(self._list) or self._plain
        """The normal form: words with their accents, separated by one space."""

    def __repr__(self) -> str:
        return f"Forms({self.key!r})"

    @cached_property
    def squeezed(self) -> str:
        """The same letters without spaces."""
        return self.key.replace(" ", "")

    @cached_property
    def folded(self) -> str:
        """The same letters without spaces and accents."""
        return _fold(self.squeezed)

    @cached_property
    def spelling(self) -> str:
        """The words without accents: what similarity is measured on."""
        return _fold(self.key)

    @cached_property
    def _counted(self) -> list[str]:
        if len(self._list) > 1 and self._list[-1] in ("v", "x"):
            return [*self._list[:-1], str(_ROMAN_DIGITS[self._list[-1]])]
        return self._list

    @cached_property
    def numeral(self) -> str:
        """As `folded`, with a last lone V or X read as a number."""
        return _fold("".join(self._counted)) or self.folded

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """The numbers in it: what tells the parts of a series apart."""
        return tuple(sorted(re.findall(r"\d+", " ".join(self._counted))))

    @cached_property
    def bare(self) -> str:
        """As `folded`, without a leading article."""
        return _bare(self._list) or self.folded

    @cached_property
    def loose(self) -> str:
        """As `folded`, without any small word, and without "movie" or "film" at the end."""
        words = self._list[:-1] if self._list[-1:] in (["movie"], ["film"]) else self._list
        return _fold("".join(word for word in words if word not in _SMALL_WORDS)) or self.folded

    @cached_property
    def core(self) -> str:
        """The words that carry the name, to search by: without small words and numbers, if any other is left."""
        return _core(self._plain) or self.key

    @cached_property
    def parts(self) -> tuple[str, ...]:
        """The cores of the first head and of its tail, to search by; empty where there is no subtitle."""
        cores = tuple(core for pair in self._cuts[:1] for part in pair if (core := _core(part)))
        return cores if len(cores) == 2 and not _COUNTED.intersection(cores) else ()

    @cached_property
    def _cuts(self) -> list[tuple[str, str]]:
        return [(self._plain[: cut.start()], self._plain[cut.end() :]) for cut in _CUT.finditer(self._plain)]

    @cached_property
    def heads(self) -> frozenset[str]:
        """Each beginning that a subtitle may follow, as `bare`."""
        return frozenset(bare for head, _ in self._cuts if (bare := _bare(_canonical(_words(head)))))

    @cached_property
    def tails(self) -> frozenset[str]:
        """Each end that may stand alone, as `bare`."""
        return frozenset(bare for _, tail in self._cuts if (bare := _bare(_canonical(_words(tail)))))


@lru_cache(maxsize=8192)
def forms(title: str) -> Forms:
    """The forms of a title. Cached: a job meets the same titles in many search results."""
    return Forms(title)


def normalise(title: str) -> str:
    """The normal form of a title, in any script; never raises, and empty only where the title is blank.

    >>> normalise("WALL·E"), normalise("Rocky II"), normalise("Sid & Nancy"), normalise("ハウス")
    ('wall e', 'rocky 2', 'sid and nancy', 'ハウス')
    """
    return forms(title).key


def strength(reading: Forms, title: Forms) -> float:
    """How well two titles agree, 0 to 100, in the steps that the module's head lists."""
    if reading.key == title.key:
        return 100.0
    if not reading.key or not title.key:
        return 0.0
    if reading.squeezed == title.squeezed:
        return 99.0
    if reading.folded == title.folded:
        return 98.0
    alike = float(fuzz.ratio(reading.spelling, title.spelling))
    # Most candidates have another title altogether; what follows needs half of the letters or a part of the title.
    if alike >= 50 or reading.bare in title.folded or title.bare in reading.folded:
        for step, agree in _STEPS:
            if agree(reading, title):
                return step
    return alike * (0.86 if reading.numbers == title.numbers else 0.6)


_STEPS: tuple[tuple[float, Callable[[Forms, Forms], bool]], ...] = (
    (97.0, lambda reading, title: reading.numeral == title.numeral),
    (95.0, lambda reading, title: reading.bare == title.bare),
    (93.0, lambda reading, title: reading.loose == title.loose),
    (90.0, lambda reading, title: reading.bare in title.heads),
    (88.0, lambda reading, title: reading.bare in title.tails),
    (87.0, lambda reading, title: title.bare in reading.tails),
    (77.0, lambda reading, title: title.bare in reading.heads),
)


# ── what is wanted ──────────────────────────────────────────────────────────────────────────────────────────────────

_YEAR_AT_END = re.compile(r"\s*[(\[](1[89]\d\d|20\d\d)[)\]]\s*$")
_BRACKET_AT_END = re.compile(r"^(?P<main>.*\S)\s*[(\[](?P<inside>[^()\[\]]+)[)\]]\s*$")
_AKA = re.compile(r"^(?:a\.?k\.?a\.?|also known as|aka:|or)\s+", re.IGNORECASE)
_AKA_INSIDE = re.compile(r"\s+(?:a\.?k\.?a\.?|also known as)\s+", re.IGNORECASE)
# A bracket that says which part, cut or copy is meant is no second name.
_NO_NAME = re.compile(
    r"(?:the\s+)?(?:(?:part|pt|vol|volume|chapter|episode|season)\b.*|[ivx\d]+|3-?d|tv.*|short.*|.*\b(?:cut|version|edition))\.?",
    re.IGNORECASE,
)
_ARTICLE_BEHIND = re.compile(r"^(?P<rest>[^:(]*\S),\s*(?P<article>[^\W\d_]+['’]?)(?P<end>\s*(?:[:(].*)?)$")


def with_article_in_front(title: str) -> str:
    """The title with an article moved back to where it belongs; the title itself where none was moved.

    >>> with_article_in_front("Matrix, The"), with_article_in_front("Avventura, L'")
    ('The Matrix', "L'Avventura")
    >>> with_article_in_front("Power of Nightmares, The: The Rise of the Politics of Fear")
    'The Power of Nightmares: The Rise of the Politics of Fear'
    """
    rest, comma, last = title.rpartition(",")
    found = _ARTICLE_BEHIND.match(title)
    if comma and _is_article(last.strip()):
        article, rest, end = last.strip(), rest.rstrip(), ""
    elif found and _is_article(found["article"]):
        article, rest, end = found["article"], found["rest"], found["end"]
    else:
        return title
    space = "" if article.endswith(("'", "’")) else " "
    return f"{article}{space}{rest}{end}"


def _is_article(word: str) -> bool:
    plain = word.casefold().replace("’", "'")
    return plain in _ARTICLES or plain in _ELIDED


def _clean(title: str) -> str:
    return " ".join(title.split())  # NO-BREAK SPACE is a space to split(), too


@dataclass(frozen=True, slots=True)
class Wanted:
    """A film as a list names it: what to ask the search for, and what to recognise the answer by.

    `names` are the readings, most trusted first; `year` is None where the list has none.
    """

    names: tuple[str, ...]
    year: int | None

    @property
    def main(self) -> str:
        """The reading to search by: without what stands in brackets at the end."""
        return self.names[0]

    @property
    def other_names(self) -> tuple[str, ...]:
        """The names beside it, without the reading that holds them all."""
        return tuple(name for name in self.names[1:] if "(" not in name and "[" not in name)


def wanted(title: str, year: int | None = None, original_title: str | None = None) -> Wanted:
    """Read a list's title. A year in brackets at its end serves where no other is given.

    >>> wanted("House (Hausu) (1977)")
    Wanted(names=('House', 'House (Hausu)', 'Hausu'), year=1977)
    """
    text = _clean(title)
    if found := _YEAR_AT_END.search(text):
        in_title = int(found[1])
        if found.start() and (year is None or abs(year - in_title) <= 1):
            text, year = text[: found.start()], in_title if year is None else year
    whole = text
    also: list[str] = []
    while found := _BRACKET_AT_END.match(text):
        inside = _AKA.sub("", found["inside"]).strip()
        if _NO_NAME.fullmatch(inside):
            break
        text = found["main"]
        also[:0] = [inside] if inside else []
    main, *others = _AKA_INSIDE.split(text)
    names = [main, whole, *others, *also, original_title or ""]
    moved = (with_article_in_front(name) for name in names)
    return Wanted(tuple(dict.fromkeys(name for name in map(_clean, moved) if name)) or (text,), year)


# ── what was found ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Film:
    """One film of a search or details answer, with every title known of it so far."""

    id: int
    title: str
    titles: tuple[str, ...]
    year: int | None
    votes: int = 0


def film_of(data: Any) -> Film | None:
    """A film from one entry of a search's `results`, or from a details answer with the titles appended to it.

    None where there is no usable id or no title: this is JSON from a server, and nothing in it is taken on trust.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("id"), int) or isinstance(data["id"], bool):
        return None
    own = [title for title in (data.get("title"), data.get("original_title")) if isinstance(title, str) and title]
    titles = tuple(dict.fromkeys([*own, *_alternative_titles(data)]))
    date, votes = data.get("release_date"), data.get("vote_count")
    year = int(date[:4]) if isinstance(date, str) and re.match(r"[0-9]{4}(?![0-9])", date) else None
    return Film(data["id"], titles[0], titles, year, votes if isinstance(votes, int) else 0) if titles else None


def _alternative_titles(data: Mapping[str, Any]) -> Iterable[str]:
    """`alternative_titles.titles[].title` and `translations.translations[].data.title`, as far as they are there."""
    for part, entries, inner in (("alternative_titles", "titles", None), ("translations", "translations", "data")):
        appended = data.get(part)
        listed = appended.get(entries) if isinstance(appended, Mapping) else None
        for entry in listed if isinstance(listed, list) else ():
            holder = entry.get(inner) if inner and isinstance(entry, Mapping) else entry
            title = holder.get("title") if isinstance(holder, Mapping) else None
            if isinstance(title, str) and title:
                yield title


@dataclass(frozen=True, slots=True)
class Scored:
    """How well one film answers to what is wanted.

    `strength` is of its name alone, `agreed` counts the readings that are one of its names, `gap` is the distance of
    the years (None where one is unknown), `score` joins them, 0 to 100.
    """

    film: Film
    strength: float
    agreed: int
    gap: int | None
    score: float

    @property
    def same_name(self) -> bool:
        """One of the film's titles is one of the readings."""
        return self.strength >= SAME_NAME

    @property
    def reason(self) -> str:
        """Why it scores as it does, for the person who decides."""
        if self.same_name:
            name = "same title"
        elif self.strength >= PART_OF_NAME:
            name = "part of the title"
        else:
            name = "similar title" if self.strength >= ALIKE else "other title"
        years = {None: "year unknown", 0: "same year", 1: "one year off"}.get(self.gap, f"{self.gap} years off")
        return f"{name}, {years}"


def score(wish: Wanted, film: Film) -> Scored:
    """Compare a film's titles and year with what is wanted."""
    readings = [forms(name) for name in wish.names]
    titles = [forms(title) for title in film.titles]
    best_by_reading = [max(strength(reading, title) for title in titles) for reading in readings]
    name = max(best_by_reading)
    gap = abs(wish.year - film.year) if wish.year is not None and film.year is not None else None
    penalty = _YEAR_UNKNOWN if gap is None else _YEAR_PENALTY.get(gap, _YEAR_FAR)
    agreed = sum(one >= SAME_NAME for one in best_by_reading)
    return Scored(film, name, agreed, gap, round(max(0.0, name - penalty), 1))


def rank(wish: Wanted, films: Iterable[Film]) -> list[Scored]:
    """The films, best first; ties by votes, then by id, so that the order never depends on who answered first."""
    return sorted((score(wish, film) for film in films), key=lambda one: (-one.score, -one.film.votes, one.film.id))


# ── the decision ────────────────────────────────────────────────────────────────────────────────────────────────────


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
