"""Films that nobody shot: any number of them, each with a title of its own, none of them stored.

A title is "The ADJECTIVE NOUN of PLACE". An index becomes a title through an affine permutation of all combinations,
so that neighbours do not look alike, and a title becomes its index through the inverse: a search for one is arithmetic,
and a hundred thousand films cost neither start-up nor memory. The seed decides titles, years and the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from .behaviour import chance

# Adjectives, nouns and places, one paragraph each; no word stands in two of them.
_SLOTS = [words.split() for words in Path(__file__).with_name("words.txt").read_text(encoding="utf-8").split("\n\n")]
_ADJECTIVES, _NOUNS, _PLACES = _SLOTS
_PLACE_OF = {word: (slot, position) for slot, words in enumerate(_SLOTS) for position, word in enumerate(words)}

MOST_GENERATED = math.prod(len(words) for words in _SLOTS)
"""How many films can be generated: one for each combination of words."""

FIRST_ID = 10_000_000
"""Identifiers of generated films start here, far above those of the real ones."""

_FIRST_YEAR, _LAST_YEAR = 1930, 2024


@lru_cache(maxsize=8)
def _permutation(seed: int) -> tuple[int, int, int]:
    """Step, offset and inverse step of number = index * step + offset (modulo the whole)."""
    # A step near the golden section of the whole spreads neighbours; it must share no factor with the whole.
    step = int(MOST_GENERATED * 0.6180339887) + int(chance(seed, "step") * 10_000)
    while math.gcd(step, MOST_GENERATED) != 1:
        step += 1
    return step, int(chance(seed, "offset") * MOST_GENERATED), pow(step, -1, MOST_GENERATED)


@dataclass(frozen=True, slots=True)
class Titles:
    """The invertible mapping of index ↔ title for one seed."""

    seed: int = 0

    def title(self, index: int) -> str:
        """The title of an index in 0 … MOST_GENERATED - 1."""
        step, offset, _ = _permutation(self.seed)
        number = (index * step + offset) % MOST_GENERATED
        number, place = divmod(number, len(_PLACES))
        adjective, noun = divmod(number, len(_NOUNS))
        return f"The {_ADJECTIVES[adjective].title()} {_NOUNS[noun].title()} of {_PLACES[place].title()}"

    def year(self, index: int) -> int:
        """The year of an index."""
        return _FIRST_YEAR + int(chance(self.seed, "year", index) * (_LAST_YEAR - _FIRST_YEAR + 1))

    def matching(self, tokens: Sequence[str], films: int) -> list[int]:
        """The indices below `films` whose titles hold all tokens (lower case), the last of which may be a beginning.

        At least two of the three words must be told: one alone would match a good part of the whole, and the API
        that this imitates would cut such an answer short too.
        """
        told: list[dict[int, list[int]]] = []
        wanted = [token for token in tokens if token not in {"the", "of"}]
        for number, token in enumerate(wanted):
            if token in _PLACE_OF:
                slot, position = _PLACE_OF[token]
                told.append({slot: [position]})
            elif number == len(wanted) - 1:
                begun: dict[int, list[int]] = {}
                for word, (slot, position) in _PLACE_OF.items():
                    if word.startswith(token):
                        begun.setdefault(slot, []).append(position)
                told.append(begun)
            else:
                return []
        return sorted(index for index in set(self._indices(told)) if index < films)

    def _indices(self, told: list[dict[int, list[int]]]) -> Iterator[int]:
        """The indices of the titles that hold one of the words of each token, where two slots at least are told."""
        if not 2 <= len(told) <= len(_SLOTS):
            return
        _, offset, inverse = _permutation(self.seed)
        *exact, last = told
        fixed = {slot: positions for token in exact for slot, positions in token.items()}
        for slot, positions in last.items():
            if len(fixed) < len(exact) or slot in fixed:
                continue
            choices = [positions if at == slot else fixed.get(at, range(len(words))) for at, words in enumerate(_SLOTS)]
            for adjective in choices[0]:
                for noun in choices[1]:
                    for place in choices[2]:
                        number = (adjective * len(_NOUNS) + noun) * len(_PLACES) + place
                        yield (number - offset) * inverse % MOST_GENERATED


def generated_titles(n: int, seed: int = 0) -> Iterator[tuple[str, int]]:
    """Title and year of the first `n` generated films of a `films_seed`: an input list for tests and benchmarks.

    Raises `ValueError` where `n` is more than can be generated.
    """
    if n > MOST_GENERATED:
        raise ValueError(f"films {n!r}: at most {MOST_GENERATED} can be generated")
    titles = Titles(seed)
    return ((titles.title(index), titles.year(index)) for index in range(n))
