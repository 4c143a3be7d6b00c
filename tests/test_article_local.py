"""The analyser that needs no key: which sentences and words it picks."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from enricher.pipelines.articles.analysis import Analysis, Article
from enricher.pipelines.articles.providers.local import MOST_CHARS, NOT_STATED, analyse, sentences_of

TEXT = """\
BERLIN, 3 May
Wild bees have returned to the parks of Berlin after an absence of twenty years. \
Gardeners noticed the first nests in March, when the almond trees began to bloom.

The weather was mild on most days of the spring. \
A survey by the Free University counted 4,120 wild bees in eleven parks of Berlin. \
Dr. Anna M. Weber, who led it, said that bees need flowers more than they need honey. \
The mayor was not available on Tuesday. \
The Free University will count the bees again next year, e.g. in the gardens of the east.
"""
ARTICLE = Article("https://news.example/bees", "Wild bees return to Berlin", language="en", text=TEXT)


def _sentences(text):
    return list(sentences_of(text))


# ── sentences ──


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ("Dr. Weber came. Mr. J. R. Smith left.", ["Dr. Weber came.", "Mr. J. R. Smith left."]),
        ("It costs 3.50 dollars. Fine.", ["It costs 3.50 dollars.", "Fine."]),
        ("In the U.S. Senate they met. Then not.", ["In the U.S. Senate they met.", "Then not."]),
        ("Er kam z.B. Montag. Am 3. Oktober ging er.", ["Er kam z.B. Montag.", "Am 3. Oktober ging er."]),
        ("That was in 2024. Then it ended.", ["That was in 2024.", "Then it ended."]),
        ("Fruit, e.g. apples etc. is sold. Yes.", ["Fruit, e.g. apples etc. is sold.", "Yes."]),
        ("“Stop!” She ran. (It helped.) Good", ["“Stop!”", "She ran.", "(It helped.)", "Good"]),
        ("Wait... and see... Now", ["Wait... and see...", "Now"]),
        ("これは文です。次の文！「はい。」終わり", ["これは文です。", "次の文！", "「はい。」", "終わり"]),
        ("A headline\nA sentence.", ["A headline", "A sentence."]),
        ("", []),
        ("...", ["..."]),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text, expected):
    assert _sentences(text) == expected


# ── the analysis ──


def test_the_summary_is_the_beginning_without_the_dateline():
    summary = analyse(ARTICLE).summary
    assert summary.startswith("Wild bees have returned to the parks of Berlin after an absence of twenty years.")
    assert "BERLIN, 3 May" not in summary


def test_the_title_is_not_repeated_as_the_summary():
    again = analyse(replace(ARTICLE, text=f"{ARTICLE.title}\n{TEXT}"))
    assert (again.summary, again.key_findings) == (analyse(ARTICLE).summary, analyse(ARTICLE).key_findings)


def test_findings_are_other_sentences_in_the_text_s_order_and_hold_the_central_one():
    analysis = analyse(ARTICLE)
    assert any("4,120 wild bees" in finding for finding in analysis.key_findings)
    assert not any(finding in analysis.summary for finding in analysis.key_findings)
    places = [TEXT.replace("\n", " ").index(finding) for finding in analysis.key_findings]
    assert places == sorted(places)


def test_the_method_is_the_sentence_that_speaks_of_one():
    assert (
        analyse(ARTICLE).method == "A survey by the Free University counted 4,120 wild bees in eleven parks of Berlin."
    )


def test_no_method_is_made_up():
    without = replace(
        ARTICLE, text="Wild bees have returned to the parks of Berlin. They are many, and they are hungry."
    )
    assert analyse(without).method == NOT_STATED


def test_topics_are_the_title_s_words_and_names_and_no_function_words():
    topics = analyse(ARTICLE).topics
    assert {"bees", "Berlin", "Free University"} <= set(topics)
    assert not {"the", "they", "from"} & set(topics)
    assert "University" not in topics


def test_the_take_away_is_one_sentence_of_the_text():
    assert analyse(ARTICLE).takeaway in TEXT.replace("\n", " ")


@pytest.mark.parametrize(
    ("text", "function_words"),
    [
        (
            "Die Bienen sind nach Berlin zurückgekehrt. Die Gärten waren voll, und die Bienen auch.",
            {"die", "und", "auch"},
        ),
        ("Les abeilles sont de retour dans la ville. Les jardins sont pleins, et les abeilles aussi.", {"les", "dans"}),
    ],
)
def test_function_words_of_a_language_that_is_not_said_are_known_by_the_text(text, function_words):
    topics = {topic.lower() for topic in analyse(Article("", "", text=text)).topics}
    assert topics
    assert not topics & function_words


def test_a_japanese_text_has_a_summary_and_topics():
    first = "東京のデータセンターで新しい人工知能の研究が始まった。"
    text = f"{first}研究者は三百人を調査したと発表した。データセンターは来年も増える見込みだ。"
    analysis = analyse(Article("", "データセンターの研究", language="ja", text=text))
    assert analysis.summary.startswith(first)
    assert "データセンター" in analysis.topics


@pytest.mark.parametrize(
    ("title", "text", "summary"),
    [("A title", "", "A title"), ("", "", ""), ("A title", "Short.", "Short."), ("Same.", "Same.", "Same.")],
)
def test_where_there_is_little_it_is_taken_as_it_is(title, text, summary):
    assert analyse(Article("", title, text=text)).summary == summary


def test_the_same_article_gives_the_same_analysis_and_travels_between_processes():
    analysis = analyse(pickle.loads(pickle.dumps(ARTICLE)))
    assert analysis == analyse(ARTICLE)
    assert isinstance(pickle.loads(pickle.dumps(analysis)), Analysis)


def test_what_lies_beyond_the_bound_is_not_looked_at():
    padding = "Nothing of note has happened in these parts today. " * (MOST_CHARS // 50)
    assert analyse(replace(ARTICLE, text=f"{padding}{TEXT}")).method == NOT_STATED


@pytest.mark.parametrize(
    "text",
    [
        "." * 1_000_000,
        ". " * 500_000,
        "A" * 1_000_000,
        "Aa " * 300_000,
        "a-" * 500_000,
        "\n" * 1_000_000,
        "。" * 1_000_000,
        "é" * 1_000_000,
        " ".join(f"W{n}" for n in range(200_000)),
    ],
    ids=["stops", "stops and blanks", "one word", "capitals", "hyphens", "lines", "。", "é", "many words"],
)
@pytest.mark.timeout(5)
def test_a_hostile_text_takes_no_longer_than_another(text):
    analysis = analyse(Article("", text[:1_000], text=text))
    assert len(analysis.summary) <= 1_100


def test_hidden_characters_do_not_reach_the_analysis():
    hidden = replace(ARTICLE, text=TEXT.replace("bees", "be\u200bes\u202e"))
    assert analyse(hidden) == analyse(ARTICLE)
