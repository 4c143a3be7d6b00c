"""How well films are matched: `python -m benchmarks.matching`.

Lists are made of known films, spoilt in one way each, and put through the real recipe. It is answered by the simulated
TMDB's own bodies, without a socket: what is measured is the decision, not the wire. A row is *right* where the film is
its own, *wrong* where it is another, else it was left open, unsure or not found. Each table is of one half of the films,
so that a rule that was fitted to one half shows it on the other.

The catalogue of the simulated TMDB has some hundred films, and their votes are invented: for lists without years, where
votes decide, one is made whose votes and namesakes are spread as those of real films (`made_catalogue`). `--films` takes
another catalogue (CSV: `title`, `year`, `votes`, and perhaps `original_title`), `--list` the rows of a real list (CSV:
`title`, `year`) whose films are looked for in it by name.
"""

from __future__ import annotations

import csv
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import click

from enricher import Answer, Found, Item, NotFound, Request, Response
from enricher.pipelines.movies.recipe import movie_recipe
from enricher.pipelines.movies.service import TMDB
from enricher.simulator.catalogue import Catalogue, Film, films, words
from enricher.simulator.generated import generated_titles
from enricher.simulator.tmdb import Tmdb

SEED = 20_261
SHORTEST_FOR_TYPO = 4
"""Letters of a title that is misspelt: of a shorter one, a letter is half of the name."""

NO_FILM = 0
"""The id of a row whose film the service lacks: whatever is found is wrong."""


class Case(NamedTuple):
    """One row of a list, and the film that it means: its id. `tmdb_id` is what stands in the row, None: no id does."""

    title: str
    year: int | None
    film: int
    tmdb_id: int | None = None


class Result(NamedTuple):
    """What became of a list: rows by word, and the requests that they took."""

    rows: int
    counts: Mapping[str, int]
    requests: int
    wrong: tuple[tuple[Case, str], ...]

    def share(self, word: str) -> float:
        """The share of the rows that are `word`, percent."""
        return 100 * self.counts.get(word, 0) / self.rows if self.rows else 0.0


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_TWO_WAYS = (
    *(("Volume", "Vol."), ("Part", "Pt."), ("Doctor", "Dr."), ("Saint", "St."), ("Number", "No."), ("and", "&")),
    *(("II", "2"), ("III", "3"), ("IV", "4"), ("VI", "6"), ("Two", "2"), ("Three", "3"), ("Seven", "7"), ("Ten", "10")),
)


def abbreviated(title: str) -> Iterator[str]:
    """A title with one of its words written in another way, for each that can be."""
    for pair in _TWO_WAYS:
        for one, other in (pair, pair[::-1]):
            written = re.sub(rf"(?<!\w){re.escape(one)}(?!\w)", other, title)
            if written != title:
                yield written


def misspelt(title: str, chance: random.Random) -> str | None:
    """A title with a letter lost, added, replaced or swapped with the next; None where it is too short for that."""
    letters = [at for at, letter in enumerate(title) if letter.isalpha()]
    if len(letters) < SHORTEST_FOR_TYPO:
        return None
    while True:
        at, other = chance.choice(letters), chance.choice("abcdefghijklmnopqrstuvwxyz")
        head, letter, tail = title[:at], title[at], title[at + 1 :]
        written = chance.choice(
            (head + tail, head + letter + other + tail, head + other + tail, head + tail[:1] + letter + tail[1:])
        )
        if words(written) != words(title) and len(words(written)) == len(words(title)):
            return written


def lists(known: Sequence[Case], catalogue: Catalogue, seed: int) -> dict[str, list[Case]]:
    """Name → list: the known rows, spoilt in one way each. Rows that are another film's by their own words are left out."""
    chance = random.Random(seed)  # noqa: S311  # a seeded list, no secret

    def own(cases: Iterable[Case]) -> list[Case]:
        return [case for case in cases if not _names_another(case, catalogue)]

    typos = [(case, misspelt(case.title, chance)) for case in known]
    made = {
        "with years": list(known),
        "without years": [case._replace(year=None) for case in known],
        "a year off": [case._replace(year=(case.year or 0) + chance.choice((-1, 1))) for case in known],
        "abbreviations": [case._replace(title=title) for case in known for title in abbreviated(case.title)],
        "one typo": [case._replace(title=title) for case, title in typos if title is not None],
        "translated": [
            case._replace(title=title)
            for case in known
            if (film := catalogue.get(case.film)) is not None
            for title in dict.fromkeys(film.titles[1:])
            if words(title) and words(title) != words(case.title)
        ],
    }
    whole = ("without years", "right ids", "wrong ids")
    made["right ids"] = [
        case._replace(tmdb_id=case.film) for name in ("a year off", "translated") for case in made[name]
    ]
    # Each row with the id of the next: a column that was sorted without the others.
    made["wrong ids"] = [
        case._replace(tmdb_id=other.film) for case, other in zip(known, [*known[1:], *known[:1]], strict=True)
    ]
    return {name: cases if name in whole else own(cases) for name, cases in made.items()}


def _names_another(case: Case, catalogue: Catalogue) -> bool:
    """Whether another film has the row's very title and year: no list can tell the two apart."""
    named = words(case.title)
    found = catalogue.search(case.title, None) if named else []
    return any(
        film.id != case.film and film.year == case.year and any(words(title) == named for title in film.titles)
        for film in found
    )


def rivals(known: Sequence[Case], catalogue: Catalogue) -> tuple[list[Case], list[Film]]:
    """Rows that name films in another language, and for each a short of that very name and year, with two votes."""
    cases: list[Case] = []
    shorts: list[Film] = []
    for case in known:
        film = catalogue.get(case.film)
        for _, title in () if film is None else film.translations[:1]:
            if film is not None and words(title) != words(film.title):
                cases.append(case._replace(title=title))
                shorts.append(_film(len(shorts) + 8_000_000, title, film.year, 2))
    return cases, shorts


# ── the run ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def answers(catalogue: Catalogue) -> Callable[[Request], Answer]:
    """The simulated TMDB's answers to a recipe's requests."""
    tmdb = Tmdb(catalogue)

    def answer(request: Request) -> Answer:
        number = request.path.rpartition("/")[2]
        match request.kind:
            case "search":
                told = tmdb.search(request.params)
            case "find":
                told = tmdb.find(number, request.params)
            case _:
                told = tmdb.details(number, request.params)
        body = told.body if isinstance(told.body, bytes) else b""
        data = json.loads(body)
        judge = TMDB.classify
        verdict = judge(request, Response(told.status, {}, body), data) if judge is not None else None
        return Answer(told.status, data, body, missing=bool(getattr(verdict, "missing", False)))

    return answer


def measure(cases: Sequence[Case], answer: Callable[[Request], Answer]) -> Result:
    """Put a list through the recipe, row by row."""
    recipe = movie_recipe(TMDB)
    counts: Counter[str] = Counter()
    requests, wrong = 0, []
    for case in cases:
        flow = recipe(Item("film", {"title": case.title, "year": case.year, "tmdb_id": case.tmdb_id}))
        try:
            asked = next(flow)
            while isinstance(asked, Request):
                requests += 1
                asked = flow.send(answer(asked))
        except StopIteration as stop:
            conclusion = stop.value
        if not isinstance(conclusion, Found):
            counts["not found" if isinstance(conclusion, NotFound) else "unsure"] += 1
        elif conclusion.record["tmdb_id"] == case.film:
            counts["right"] += 1
        else:
            counts["wrong"] += 1
            wrong.append((case, f"{conclusion.record['title']} ({conclusion.record['year']})"))
    return Result(len(cases), counts, requests, tuple(wrong))


def measure_made(half: int, seed: int = SEED) -> Result:
    """Lists without years, of half of the rows of the made list."""
    made, cases = made_catalogue(seed)
    return measure([case._replace(year=None) for case in cases[half::2]], answers(Catalogue(known=made)))


def measure_all(known: Sequence[Case], all_films: Sequence[Film], seed: int = SEED) -> dict[str, Result]:
    """Every list of the known rows; the last two want their own catalogues: of rivals, and without the rows' films."""
    catalogue = Catalogue(known=all_films)
    answer = answers(catalogue)
    results = {name: measure(cases, answer) for name, cases in lists(known, catalogue, seed).items()}
    cases, shorts = rivals(known, catalogue)
    results["rivals"] = measure(cases, answers(Catalogue(known=[*all_films, *shorts])))
    gone = {case.film for case in known}
    lacking = answers(Catalogue(known=[film for film in all_films if film.id not in gone]))
    alone = [case._replace(film=NO_FILM) for case in known if not _names_another(case, catalogue)]
    results["lacking"] = measure(alone, lacking)
    return results


# ── catalogues ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _film(number: int, title: str, year: int, votes: int | None, original: str = "") -> Film:
    return Film(
        id=number,
        imdb_id="",
        date=f"{year}-06-01",
        other_years=(),
        runtime=90,
        language="en",
        countries=(),
        genres=(),
        title=title,
        original_title=original or title,
        other_titles=(),
        directors=(),
        cast=(),
        counted_votes=votes,
    )


# Measured on 58,788 films of a public data set and 1,101 of them on the lists of real people: the votes of a film (share of
# the films, at most so many), how the chance to be on a list grows with them, and how many of the films on lists share
# their title with none, one, two or three others (84, 12, 3.5 and 0.5 percent).
_VOTES = (
    *((0.0, 0.6), (0.1, 0.9), (0.25, 1.4), (0.5, 3.8), (0.75, 14.0), (0.9, 74.0), (0.95, 268.0)),
    *((0.98, 930.0), (0.99, 1666.0), (0.995, 2776.0), (0.999, 7153.0), (1.0, 19_701.0)),
)
_CHANCE_BY_VOTES = 0.65
_SHARERS = ((1, 92), (2, 6), (3, 1.6), (4, 0.4))
_MADE_FILMS, _MADE_ROWS = 30_000, 600


def _votes(share: float) -> int:
    """The votes that this share of the films stays below: between two that were measured, on a scale of powers."""
    (low, least), (high, most) = next(pair for pair in pairwise(_VOTES) if share <= pair[1][0])
    return int(least * (most / least) ** ((share - low) / (high - low)))


def made_catalogue(seed: int) -> tuple[list[Film], list[Case]]:
    """Invented films with namesakes and votes as real ones have them, and a list of such as people have seen."""
    chance = random.Random(seed)  # noqa: S311
    sizes = [size for size, _ in _SHARERS]
    made: list[Film] = []
    for title, _ in generated_titles(_MADE_FILMS, seed):
        for _ in range(chance.choices(sizes, [weight for _, weight in _SHARERS])[0]):
            made.append(_film(len(made) + 1, title, chance.randint(1930, 2024), _votes(chance.random())))
    drawn = sorted(made, key=lambda film: -(chance.random() ** (1 / max(film.votes, 0.5) ** _CHANCE_BY_VOTES)))
    return made, [Case(film.title, film.year, film.id) for film in drawn[:_MADE_ROWS]]


def read_catalogue(path: Path) -> list[Film]:
    """The films of a CSV file with the columns title, year, votes, and perhaps original_title."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            _film(number, row["title"], int(row["year"]), int(row["votes"]), row.get("original_title") or "")
            for number, row in enumerate(csv.DictReader(file), 1)
        ]


def read_list(path: Path, known: Sequence[Film]) -> list[Case]:
    """The rows of a CSV file with the columns title and year that name a film of the catalogue; the best known of several."""
    named: dict[tuple[str, ...], list[Film]] = {}
    for film in known:
        for title in {words(title) for title in film.titles}:
            named.setdefault(title, []).append(film)
    cases = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            near = [film for film in named.get(words(row["title"]), ()) if abs(film.year - int(row["year"])) <= 1]
            if near and words(row["title"]):
                cases.append(Case(row["title"], int(row["year"]), max(near, key=lambda film: film.votes).id))
    return cases


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seed", default=SEED, show_default=True, help="Of the mistakes that are made.")
@click.option("--films", "catalogue", type=click.Path(path_type=Path, exists=True), help="Another catalogue, as CSV.")
@click.option("--list", "rows", type=click.Path(path_type=Path, exists=True), help="A real list of its films, as CSV.")
@click.option("--wrong", "show", is_flag=True, help="Name each wrong film.")
def main(seed: int, catalogue: Path | None, rows: Path | None, show: bool) -> None:
    """Measure how well films are matched, on two disjoint halves of the films."""
    known = read_catalogue(catalogue) if catalogue else [film for film in films() if not film.adult]
    if rows is not None:
        cases = read_list(rows, known)
    else:
        cases = [Case(film.title, film.year, film.id) for film in known if film.votes > 10 and words(film.title)]
    random.Random(seed).shuffle(cases)  # noqa: S311
    for half in (0, 1):
        click.echo(f"half {half + 1} of 2: {len(cases[half::2]):,} films of a catalogue of {len(known):,}")
        click.echo(f"{'':14}{'rows':>8}{'right':>9}{'wrong':>9}{'unsure':>9}{'not found':>11}{'requests a row':>16}")
        results = measure_all(cases[half::2], known, seed)
        if catalogue is None:
            results["without years"] = measure_made(half, seed)
        for name, result in results.items():
            shares = "".join(f"{result.share(word):{width}.1f} %" for word, width in _WORDS)
            click.echo(f"{name:14}{result.rows:8,}{shares}{result.requests / max(result.rows, 1):16.2f}")
            for case, taken in result.wrong if show else ():
                click.echo(f"    {case.title} ({case.year}): taken for {taken}")


_WORDS = (("right", 7), ("wrong", 7), ("unsure", 7), ("not found", 9))

if __name__ == "__main__":
    main()
