"""The normal forms of a title: what titles are compared and searched by. Pure functions.

No script is thrown away: only Latin, Greek and Cyrillic letters lose their accents, ハウス stays ハウス.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cached_property, lru_cache

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
# Words that lists and TMDB write in two ways → the one way in which they are compared.
_ABBREVIATED = {
    "versus": "vs", "doctor": "dr", "mister": "mr", "volume": "vol", "saint": "st", "street": "st", "number": "no",
    "pt": "part", "ep": "episode", "ch": "chapter", "mount": "mt", "fort": "ft", "brothers": "bros", "junior": "jr",
    "senior": "sr", "sergeant": "sgt", "captain": "capt", "lieutenant": "lt", "professor": "prof", "avenue": "ave",
    "boulevard": "blvd", "department": "dept", "corporation": "corp", "incorporated": "inc",
}  # fmt: skip
_TWO_WAYS = (frozenset(_ABBREVIATED) | frozenset(_ABBREVIATED.values())) - {"no"}  # a word of its own, mostly
_COUNTED = {"part", "pt", "episode", "ep", "chapter", "ch", "vol", "volume", "book", "no", "number", "teil", "partie"}
_COUNTED |= {"parte", "kapitel"}
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
    """Numbers in digits (II, two → 2; a lone I, V or X only where something is counted), and one way of writing for words
    that are often abbreviated.
    """
    result = []
    for position, word in enumerate(words):
        counted = position > 0 and words[position - 1] in _COUNTED
        if word == "n" and 0 < position < len(words) - 1:
            word = "and"  # Rock 'n' Roll
        if len(word) > 1 or counted:
            word = _roman(word) or _NUMBER_WORDS.get(word) or _ABBREVIATED.get(word) or word
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
    surely = [word for word in named if word not in _TWO_WAYS]
    return " ".join(surely or named or carrying)


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
        """The words that carry the name, to search by: without small words, numbers and words that are often
        abbreviated, if any other is left.
        """
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
