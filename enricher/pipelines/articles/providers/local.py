"""The analyser that needs no key, no network and no model. It writes nothing: it picks sentences and words out of the text.

What works is known and plain. Against the descriptions that 181 real pages carry, their first two sentences score ROUGE-1
0.43, a graph of sentences (LexRank) 0.15; on 59 others the summaries made here score 0.48, and less with more weight on
the title. So:

Rule 1: the beginning says most. A sentence is worth more the earlier it stands, and the more of the title's words it holds.
Rule 2: topics are the words that are used often, written with a capital inside sentences, or stand in the title.
Rule 3: pure and bounded: the same article gives the same analysis in every process; the work is linear in the text, of
which no more than `MOST_CHARS` are looked at.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..analysis import Analysis, Article, plain
from .stopwords import STOPWORDS

MOST_CHARS = 100_000
MOST_SENTENCES = 400

_SUMMARY_SENTENCES = 2
_MOST_FINDINGS = 4
_MOST_TOPICS = 6
_LONGEST_CHARS = 500
_SHORTEST_CHARS = 30  # what is shorter is a dateline, a caption, a byline
_TITLE_CHARS = 300

NOT_STATED = "not stated"


def analyse(article: Article) -> Analysis:
    """An extractive analysis. Where there is no text, its summary is the title, which may be empty."""
    title = plain(article.title[:MOST_CHARS]).replace("\n", " ")[:_TITLE_CHARS]
    text = plain(article.text[:MOST_CHARS])
    stop = _stopwords(article.language, text)
    sentences = [
        _Sentence.of(place, sentence, _words(sentence) - stop) for place, sentence in enumerate(_told(text, title))
    ]
    if not sentences:
        return Analysis(title, title, (), NOT_STATED, (), title)
    about = _words(title) - stop
    frequent = Counter(word for sentence in sentences for word in sentence.words)
    by_lead = sorted(sentences, key=lambda one: (-_lead_score(one, about), one.place))
    summary = sorted(by_lead[:_SUMMARY_SENTENCES], key=lambda one: one.place)
    rest = [one for one in sentences if one not in summary]
    findings = sorted(rest, key=lambda one: (-_weight(one, about, frequent), one.place))[:_MOST_FINDINGS]
    takeaway = max(sentences, key=lambda one: (_weight(one, about, frequent), -one.place))
    return Analysis(
        title=title,
        summary=" ".join(one.text for one in summary),
        key_findings=tuple(one.text for one in sorted(findings, key=lambda one: one.place)),
        method=next((one.text for one in sentences if _METHOD.search(one.text)), NOT_STATED),
        topics=_topics(title, text, stop),
        takeaway=takeaway.text,
    )


# ── sentences ───────────────────────────────────────────────────────────────────────────────────────────────────────

# The look behind: a run of stops is looked at once, and not again from each of its stops.
_ENDS = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]{0,3}\s|[。！？]+[」』”’）]{0,3}|\n")
_BEFORE_NAMES = (
    "adm ave ca capt cf co col corp dept dr eds esp est evtl ggf gov hon hr hrn inc inkl jr lt ltd messrs mlle mme"
)
_BEFORE_MORE = (
    "mr mrs ms mt prof rep rev sen sr sra st tel univ usw vgl vol vs abb approx apr aug bd bzw dec etc feb jan nov"
)
_ABBREVIATED = frozenset(f"{_BEFORE_NAMES} {_BEFORE_MORE} mio mrd nos nr oct op pp sep sept zb".split())
_LAST_WORD = re.compile(r"[^\W\d_]+$")


def sentences_of(text: str) -> Iterator[str]:
    """The sentences of a text (`plain`), which end at a line's end, at 。！？, or at a full stop and the like before a blank.

    Not after an abbreviation, an initial or a number, unless that is where the line ends, and not before a small letter.
    """
    start = 0
    for end in _ENDS.finditer(text):
        if end[0][0] == "." and end[0][-1] != "\n" and not _ends_here(text, start, end):
            continue
        sentence = text[start : end.end()].strip()
        start = end.end()
        if sentence:
            yield sentence
    if rest := text[start:].strip():
        yield rest


def _ends_here(text: str, start: int, end: re.Match[str]) -> bool:
    after = text[end.end() : end.end() + 1]
    if after.islower():
        return False
    before = text[max(start, end.start() - 20) : end.start()]
    word = _LAST_WORD.search(before)
    if word is None:
        # "am 3. Oktober" goes on, "in 2024. Then" does not: four digits are a year.
        return not re.search(r"(?<!\d)\d{1,2}$", before)
    if len(word[0]) == 1:
        return False  # an initial; "U.S." and "z.B." end in one, too
    return word[0].lower() not in _ABBREVIATED


def _told(text: str, title: str) -> list[str]:
    """The sentences that tell something: neither too short nor the title once more. All of them where none does."""
    found: list[str] = []
    short: list[str] = []
    known = {title.casefold()}
    for sentence in sentences_of(text):
        form = sentence.casefold()
        if form in known:
            continue
        known.add(form)
        if _width(sentence) >= _SHORTEST_CHARS:
            found.append(sentence if len(sentence) <= _LONGEST_CHARS else f"{sentence[: _LONGEST_CHARS - 1].rstrip()}…")
        elif len(short) < _SUMMARY_SENTENCES:
            short.append(sentence)
        if len(found) == MOST_SENTENCES:
            break
    return found or short


def _width(sentence: str) -> int:
    """The length in Latin letters: a Chinese or Japanese character says as much as three."""
    return len(sentence) + 2 * len(_IDEOGRAPHS.findall(sentence))


@dataclass(frozen=True, slots=True)
class _Sentence:
    place: int
    text: str
    words: frozenset[str]
    has_number: bool

    @classmethod
    def of(cls, place: int, text: str, words: frozenset[str]) -> _Sentence:
        return cls(place, text, words, re.search(r"\d", text) is not None)


def _lead_score(sentence: _Sentence, about: frozenset[str]) -> float:
    """Worth in a summary: 1 for the first sentence, ½ for the second, …, and as much as 0.2 for the title's words."""
    return 1 / (1 + sentence.place) + 0.2 * _share(sentence, about)


def _weight(sentence: _Sentence, about: frozenset[str], frequent: Mapping[str, int]) -> float:
    """Worth as a finding: the title's words, the words that the text comes back to, numbers; the early ones first."""
    central = (
        sum(frequent[word] for word in sentence.words) / (len(sentence.words) + 4) / max(frequent.values(), default=1)
    )
    return _share(sentence, about) + central + 0.15 * sentence.has_number + 0.3 / (1 + sentence.place / 10)


def _share(sentence: _Sentence, about: frozenset[str]) -> float:
    return len(sentence.words & about) / len(about) if about else 0.0


_METHOD = re.compile(
    r"\b(?:study|studies|survey(?:ed|s)?|researchers|experiments?|clinical trial|randomi[sz]ed|interview(?:ed|s with)"
    r"|sample of|respondents|measured|analy[sz]ed|data (?:from|set)|methodology|poll(?:ed|s)?"
    r"|Studie|Umfrage|Befragung|befragt\w*|untersucht\w*|ausgewertet|Forscher\w*|gemessen"
    r"|étude|enquête|sondage|chercheurs|estudio|encuesta|investigadores|studio|sondaggio|ricercatori"
    r"|estudo|pesquisa|pesquisadores|onderzoek\w*|enquête)\b"
    r"|調査|研究|调查",
    re.IGNORECASE,
)

# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_IDEOGRAPHS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# Chinese and Japanese put no blanks between words: a run of one script is what can be told of a word without a dictionary.
_WORD = re.compile(
    r"[\u4e00-\u9fff]{2,4}|[\u30a0-\u30ff]{3,12}"
    r"|[^\W\d_\u3040-\u30ff\u3400-\u9fff][^\W_\u3040-\u30ff\u3400-\u9fff]*(?:-[^\W_\u3040-\u30ff\u3400-\u9fff]+)*"
)
_CAPITALS = re.compile(r"\b[^\W\d_a-z][^\W_]{1,40}(?: [^\W\d_a-z][^\W_]{1,40}){1,2}\b")


def _words(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORD.findall(text))


def _stopwords(language: str, text: str) -> frozenset[str]:
    """Those of the article's language; where it is not said, of the one whose function words the beginning holds most of."""
    known = STOPWORDS.get(language[:2].lower())
    if known is not None:
        return known
    words = [word.lower() for word in _WORD.findall(text[:5_000])]
    return max(STOPWORDS.values(), key=lambda stop: sum(word in stop for word in words))


def _topics(title: str, text: str, stop: frozenset[str]) -> tuple[str, ...]:
    """The words and names that the text is about, as it writes them most often."""
    forms: dict[str, Counter[str]] = {}
    for word in _WORD.findall(text):
        key = word.lower()
        if key not in stop and (len(word) > 2 or word.isupper() or _IDEOGRAPHS.match(word)):
            forms.setdefault(_stem(key), Counter())[word] += 1
    titled = {_stem(word.lower()) for word in _WORD.findall(title)}
    names = _names(text, stop)
    scores = {stem: _topic_score(found, stem in titled) for stem, found in forms.items()}
    for name, times in names.items():
        parts = [_stem(part.lower()) for part in name.split()]
        scores[name] = 3.0 * times + 2.0 * any(part in titled for part in parts)
    chosen: list[str] = []
    taken: set[str] = set()
    for key in sorted(scores, key=lambda key: (-scores[key], key)):
        words = {_stem(part.lower()) for part in key.split()}
        if words & taken:
            continue  # a name, and then its parts again
        taken |= words
        chosen.append(key if key in names else _commonest(forms[key]))
        if len(chosen) == _MOST_TOPICS:
            break
    return tuple(chosen)


def _topic_score(found: Counter[str], titled: bool) -> float:
    times = found.total()
    capitals = sum(number for word, number in found.items() if not word[:1].islower())
    return times * (1.0 + 0.5 * (capitals > times / 2)) + (4.0 if titled else 0.0)


def _commonest(found: Counter[str]) -> str:
    return min(found, key=lambda word: (-found[word], word))


def _names(text: str, stop: frozenset[str]) -> Mapping[str, int]:
    """Names of two or three words with capitals, at least twice in the text ("New York")."""
    found: Counter[str] = Counter()
    for name in _CAPITALS.findall(text):
        words: Sequence[str] = name.split()
        while words and words[0].lower() in stop:  # "The European Union", "In New York"
            words = words[1:]
        if len(words) > 1 and all(word[0].isupper() and word.lower() not in stop for word in words):
            found[" ".join(words)] += 1
    return {name: times for name, times in found.items() if times > 1}


def _stem(word: str) -> str:
    """One form for a word and its plural or genitive, as far as an "s" can tell."""
    return word[:-1] if len(word) > 4 and word.endswith("s") and not word.endswith("ss") else word
