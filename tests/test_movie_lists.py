"""What a row says of its film and its kind, under whatever column names, in whatever language."""

import pytest

from enricher.model import NotFound, Row, Source
from enricher.pipelines.movies.lists import kinds, words
from enricher.pipelines.movies.recipe import movie_recipe
from enricher.pipelines.movies.service import tmdb
from enricher.pipelines.movies.sources import read_films


@pytest.fixture
def read(tmp_path):
    """The rows of one list."""

    def write_and_read(text, name="films.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return [one for one in read_films([path]) if isinstance(one, Row)]

    return write_and_read


def fields(rows, *names):
    return [tuple(row.item.fields.get(name) for name in names) for row in rows]


def kinds_of(rows):
    return [row.item.fields.get("not_a_film") for row in rows]


# ── the kind of a row ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "column", ["type", "Kind", "media_type", "Title Type", "mediaType", "Typ", "тип", "movie.type"]
)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("tv", kinds.SERIES),
        ("tvMiniSeries", kinds.SERIES),
        ("TV Series", kinds.SERIES),
        ("Serie TV", kinds.SERIES),
        ("TV_SHOW", kinds.SERIES),
        ("сериал", kinds.SERIES),
        ("電視劇", kinds.SERIES),
        ("TV Episode", kinds.EPISODE),
        ("season", kinds.SEASON),
        ("anime", kinds.ANIME),
        ("Video Game", kinds.GAME),
        ("Podcast Series", "a podcast, not a film"),
        ("movie", None),
        ("TV Movie", None),
        ("TV documentary", None),
        ("made for TV", None),
        ("Music Video", None),
        ("MUSIC", "music, not a film"),
        ("Bonus Video", "a trailer, not a film"),
        ("TRAILER", "a trailer, not a film"),
        ("tvSpecial", None),
        ("TV Short", None),
        ("Mini-Feature", None),
        ("anime movie", None),
        ("Fernsehfilm", None),
        ("Drama", None),
        ("", None),
    ],
)
def test_a_row_of_a_series_or_a_game_is_no_film_whatever_the_column_is_called(read, column, value, reason):
    assert kinds_of(read(f"Title,{column},Year\nHeat,{value},1995\n")) == [reason]


@pytest.mark.parametrize(
    ("header", "cells", "film"),
    [
        ("is_movie", "false", False),
        ("is_movie", "0", False),
        ("isMovie", "1", True),
        ("is_movie", "", True),
        ("is_series", "yes", False),
        ("is_tv", "no", True),
        ("season", "2", False),
        ("Season Number,Episode Number", "0,3", False),
        ("seasons,episodes", "0,", True),
        ("Staffel", "1", False),
        ("LastEpWatched", "s1e5", False),
        ("Show Title", "Lost", False),
        ("first_air_date", "2004-09-22", False),
        ("type,season", "movie,1", True),
        ("category", "TV Shows", False),
        ("category", "Drama series of the year", True),
        ("Link", "https://www.themoviedb.org/tv/4607-lost", False),
        ("Link", "https://trakt.tv/shows/lost", False),
        ("Link", "https://simkl.com/anime/38636/one-piece", False),
        ("Link", "https://www.themoviedb.org/movie/949-heat", True),
        ("Link", "https://example.org/tv/heat", True),
        ("guid", "com.plexapp.agents.thetvdb://73739/1/1", False),
        ("TMDB", "tv/4607-lost", False),
        ("TMDB", "movie/949-heat", True),
        ("Series", "Michael Mann's", True),
        ("Note", "as good as https://www.themoviedb.org/tv/4607", True),
    ],
)
def test_flags_filled_episode_columns_and_links_tell_a_series(read, header, cells, film):
    assert kinds_of(read(f"Title,Year,{header}\nHeat,1995,{cells}\n")) == [None if film else kinds_of_any(header)]


def kinds_of_any(header):
    return kinds.NO_FILM if header.lower().replace("_", "") == "ismovie" else kinds.SERIES


@pytest.mark.parametrize(
    ("title", "film"),
    [
        ("White Collar: Season 2: Withdrawal", False),
        ("Dark: Staffel 1: Geheimnisse", False),
        ("Maid: Miniserie: Dollar Store", False),
        ("The Queen's Gambit: Limited Series: Openings", False),
        ("Friends S1E1", False),
        (": Episode 7", False),
        ("Money Heist: Part 3: Eight", False),
        ("Dark: Folge 12", False),
        ("Harry Potter and the Deathly Hallows: Part 1", True),
        ("Star Wars: Episode 4", True),
        ("Star Wars: Episode IV", True),
        ("Season of the Witch", True),
        ("Kill Bill: Vol. 2", True),
        ("Mission: Impossible 2", True),
    ],
)
def test_an_episodes_title_as_streaming_services_write_it_is_no_film(read, title, film):
    (row,) = read(f'Title,Date\n"{title}","12/12/26"\n')
    assert (row.item.fields.get("not_a_film") is None) == film


@pytest.mark.parametrize(
    ("title", "reason"),
    [
        ("Fargo (TV Series 2014–2024)", kinds.SERIES),
        ("Fargo (Serie de TV)", kinds.SERIES),
        ("Fargo (сериал)", kinds.SERIES),
        ("Fargo [Miniseries] (2014)", kinds.SERIES),
        ("Fargo S02", kinds.EPISODE),
        ("Fargo.1x02.720p", kinds.EPISODE),
        ("Heat (TV)", None),
        ("Heat (TV Movie)", None),
        ("Heat (A Love Story)", None),
        ("10x10", None),
    ],
)
def test_a_title_that_says_series_in_brackets_or_numbers_an_episode_is_no_film(read, title, reason):
    (row,) = read(f'Title,Year\n"{title}",1995\n')
    assert row.item.fields.get("not_a_film") == reason


@pytest.mark.parametrize(
    ("column", "cells", "reasons"),
    [
        ("What", ["Series", "Film", "TV"], [kinds.SERIES, None, kinds.SERIES]),
        ("Where", ["Cinema", "TV", "DVD"], [None, None, None]),
        ("Where", ["TV", "TV", ""], [None, None, None]),
        ("Series", ["yes", "no", ""], [kinds.SERIES, None, None]),
        ("Series", ["yes", "Matrix", ""], [None, None, None]),
        ("Movie?", ["no", "yes", ""], [kinds.NO_FILM, None, None]),
        ("TV?", ["x", "", ""], [kinds.SERIES, None, None]),
        ("Type", ["Director's Cut", "person", "video"], [None, "a person, not a film", None]),
    ],
)
def test_a_column_of_kinds_or_flags_is_told_by_its_cells(read, column, cells, reasons):
    rows = read(f"Title,Year,{column}\n" + "".join(f"Film {cell},1995,{cell}\n" for cell in cells))
    assert kinds_of(rows) == reasons


def test_the_medium_of_an_episode_makes_no_film_of_it(read):
    assert kinds_of(read("Name,Type,MediaType\nHeat,Episode,Video\nHeat,Movie,Video\nHeat,,Video\n")) == [
        kinds.EPISODE,
        None,
        None,
    ]


def test_a_list_of_films_with_names_like_yes_and_no_keeps_its_titles(read):
    assert fields(read("Film,Year\nNo,2012\nYes,2004\n"), "title") == [("No",), ("Yes",)]


def test_a_game_without_a_title_is_no_film_and_no_failure(read):
    rows = read("Title,Type\n,game\n,person\n,movie\nHeat,movie\n")
    assert [row.item and row.item.fields.get("not_a_film") for row in rows] == [
        kinds.GAME,
        "a person, not a film",
        None,
        None,
    ]
    assert [row.error for row in rows] == [None, None, "no title", None]
    assert rows[0].item.key != rows[1].item.key


def test_what_is_no_film_is_not_asked_for_and_says_why(read):
    (row,) = read("title,type,tmdb_id\nLost,show,4607\n")
    flow = movie_recipe(tmdb())(row.item)
    with pytest.raises(StopIteration) as stop:
        next(flow)
    assert stop.value.value == NotFound(reason=kinds.SERIES)


@pytest.mark.parametrize("column", ["tmdb_id", "imdb_id"])
def test_a_series_and_a_film_of_one_id_and_no_title_are_two_items(read, column):
    rows = read(f"{column},type\ntt0000603,movie\ntt0000603,tv\n".replace("tt0000" if column == "tmdb_id" else "-", ""))
    assert len({row.item.key for row in rows}) == 2
    assert kinds_of(rows) == [None, kinds.SERIES]


def test_a_series_and_a_film_of_one_name_are_two_items(read):
    series, film = read("title,year,type\nFargo,1996,show\nFargo,1996,movie\n")
    assert series.item.key != film.item.key


# ── ids ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("header", "cells", "imdb_id", "tmdb_id"),
    [
        ("movie_imdb_id,movie_tmdb_id", "tt0113277,949", "tt0113277", 949),
        ("movie.ids.imdb,movie.ids.tmdb", "tt0113277,949", "tt0113277", 949),
        ("ProviderIds.Imdb,ProviderIds.Tmdb", "tt0113277,949", "tt0113277", 949),
        ("media_id,source", "949,tmdb", None, 949),
        ("media_id,source", "tt0113277,imdb", "tt0113277", None),
        ("media_id,source", "949,mal", None, None),
        ("source,identifier", "TMDB,949", None, 949),
        ("id,source,identifier", "7,TMDB,949", None, 949),
        ("id", "tt0113277", "tt0113277", None),
        ("id", "949", None, None),
        ("whatever", "https://www.imdb.com/title/tt0113277/?ref_=x", "tt0113277", None),
        ("whatever", "https://www.themoviedb.org/movie/949-heat", None, 949),
        ("whatever", "https://www.themoviedb.org/de/movie/949", None, 949),
        ("guid", "imdb://tt0113277", "tt0113277", None),
        ("guid", "com.plexapp.agents.themoviedb://949?lang=en", None, 949),
        ("tmdb", "movie/949", None, 949),
        ("tmdb_id", "tmdb:949", None, 949),
        ("review", "see https://www.imdb.com/title/tt0133093/ for a better one", None, None),
        ("one,two", "imdb://tt0113277,imdb://tt0133093", None, None),
        ("imdb", "8.3", None, None),
        ("imdb", "83", None, None),
        ("imdb_id", "7", None, None),
        ("TMDB", "7.9", None, None),
        ("TMDB", "79", None, None),
        ("TMDB", "949", None, 949),
        ("tmdb_id", "11", None, 11),
    ],
)
def test_ids_are_found_where_they_stand_and_scores_are_none(read, header, cells, imdb_id, tmdb_id):
    rows = read(f"Title,{header}\nHeat,{cells}\n")
    assert fields(rows, "title", "imdb_id", "tmdb_id") == [("Heat", imdb_id, tmdb_id)]


def test_a_column_of_ids_in_which_fractions_stand_holds_scores(read):
    rows = read("Title,tmdb_id\nHeat,8.0\nRan,8.2\nIkiru,9\n")
    assert fields(rows, "tmdb_id") == [(None,)] * 3
    assert fields(read("Title,tmdb_id\nHeat,949.0\nRan,11645\nStar Wars,11\n"), "tmdb_id") == [(949,), (11645,), (11,)]


def test_the_ids_that_media_servers_put_into_names_are_used(read):
    rows = read("Name\nThe Matrix (1999) {tmdb-603}\nHeat [imdbid-tt0113277]\nRan (1985) [tmdbid=11645]\n")
    assert fields(rows, "title", "year", "imdb_id", "tmdb_id") == [
        ("The Matrix", 1999, None, 603),
        ("Heat", None, "tt0113277", None),
        ("Ran", 1985, None, 11645),
    ]


# ── titles ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_several_titles_the_first_filled_is_taken_and_the_others_are_kept(read):
    rows = read(
        "Original Title,English Title,Year,aka title\nЗеркало,The Mirror,1975,Zerkalo; Der Spiegel\n"
        "Брат,,1997,\n,Heat,1995,\n"
    )
    assert fields(rows, "title", "original_title", "other_titles") == [
        ("The Mirror", "Зеркало", ["Zerkalo", "Der Spiegel"]),
        ("Брат", "Брат", None),
        ("Heat", None, None),
    ]
    assert fields(read("English Title,Title,Year\n-,N/A,\nHeat,\\N,1995\n")[-1:], "title") == [("Heat",)]
    own = read("Name,Year,status,tmdb_id,title,year\nHeat,1995,enriched,949,Heat,1995\nRan,1985,unsure,,,\n")
    assert fields(own, "title", "year", "tmdb_id") == [("Heat", 1995, 949), ("Ran", 1985, None)]


@pytest.mark.parametrize(
    "header",
    ["Title (English),Title (Original)", "Titel_Deutsch,Titel_Original", "title-en,title-orig", "Titre VF,Titre VO"],
)
def test_titles_whose_columns_name_a_language_are_read(read, header):
    rows = read(f"No,{header},Year\n1,The Mirror,Зеркало,1975\n2,,Брат,1997\n")
    assert fields(rows, "title", "original_title") == [("The Mirror", "Зеркало"), ("Брат", "Брат")]


@pytest.mark.parametrize(
    ("cell", "title"),
    [
        ("Fast &amp; Furious", "Fast & Furious"),
        ("Don&#039;t Look Now", "Don't Look Now"),
        ("Mina jag &amp;amp; Irene", "Mina jag & Irene"),
        ("Am&eacute;lie", "Amélie"),
        ("<i>Heat</i>", "Heat"),
        ("Heat<br />", "Heat"),
        ('<a href="x">Heat</a>', "Heat"),
        ("Me & You", "Me & You"),
        ("I <3 You", "I <3 You"),
        ("AT&T; the film", "AT&T; the film"),
    ],
)
def test_a_title_comes_without_entities_and_tags_and_its_cell_as_it_was(read, cell, title):
    (row,) = read(f"Year\tName\n1995\t{cell}\n")
    assert (row.item.fields["title"], row.cells["Name"]) == (title, cell)


# ── languages ───────────────────────────────────────────────────────────────────────────────────────────────────────

HEADERS = {
    "German": "Titel;Erscheinungsjahr;Originaltitel",
    "French": "Titre;Année de sortie;Titre original",
    "Spanish": "Título;Año;Título original",
    "Italian": "Titolo;Anno;Titolo originale",
    "Portuguese": "Filme;Ano de lançamento;Título original",
    "Dutch": "Titel;Jaar;Originele titel",
    "Polish": "Tytuł;Rok produkcji;Tytuł oryginalny",
    "Russian": "Название фильма;Год;Оригинальное название",
    "Ukrainian": "Назва;Рік;Оригінальна назва",
    "Turkish": "FİLM ADI;Yapım Yılı;Orijinal Adı",
    "Chinese": "片名;上映年份;原名",
    "Japanese": "タイトル;公開年;原題",
    "Korean": "영화 제목;개봉연도;원제",
    "Swedish": "Titel;År;Originaltitel",
    "Norwegian": "Tittel;Utgivelsesår;Originaltittel",
    "Danish": "Titel;Udgivelsesår;Originaltitel",
    "Finnish": "Elokuva;Vuosi;Alkuperäinen nimi",
    "Czech": "Název filmu;Rok vydání;Originální název",
    "Hungarian": "Cím;Év;Eredeti cím",
    "Romanian": "Titlu;An;Titlu original",
    "Greek": "ΤΊΤΛΟΣ;Έτος;Πρωτότυπος τίτλος",
    "Arabic": "العنوان;سنة الإنتاج;Original Title",
}


@pytest.mark.parametrize("language", HEADERS)
def test_column_names_are_known_in_many_languages(read, language):
    rows = read(f"{HEADERS[language]}\nThe Mirror;1975;Зеркало\n")
    assert fields(rows, "title", "year", "original_title") == [("The Mirror", 1975, "Зеркало")]


def test_each_word_is_one_that_a_name_can_be_folded_to():
    for group in (words.TITLES, words.YEARS, words.ORIGINAL_TITLES, words.EPISODES, words.KINDS):
        assert all(words.folded(word) == word for word in group)
    assert not {*words.TITLES} & {*words.YEARS, *words.EPISODES, *words.COMPANIONS}


def test_column_names_of_known_exports_are_understood(read):
    simkl = (
        "SIMKL_ID,Title,Type,Year,Watchlist,LastEpWatched,WatchedDate,Rating,Memo,TVDB,TMDB,IMDB\n"
        "53992,The Matrix,movie,1999,completed,,2020-01-01,9,,,603,tt0133093\n"
        "17465,Lost,tv,2004,watching,s1e5,,,,,4607,tt0411008\n"
    )
    assert fields(read(simkl), "tmdb_id", "imdb_id", "not_a_film") == [
        (603, "tt0133093", None),
        (None, "tt0411008", kinds.SERIES),
    ]
    yamtrack = (
        '"media_id","source","media_type","title","image","season_number","episode_number","score"\n'
        '"603","tmdb","movie","The Matrix","https://image.tmdb.org/t/p/w500/x.jpg","","","9.0"\n'
        '"4607","tmdb","season","Lost","https://image.tmdb.org/t/p/w500/y.jpg","1","",""\n'
    )
    assert fields(read(yamtrack), "title", "tmdb_id", "not_a_film") == [
        ("The Matrix", 603, None),
        ("Lost", None, kinds.SEASON),
    ]
    icheckmovies = (
        "rank;rankdifference;title;year;url;checkedcount;akatitle;imdburl;checked;watchlist\n"
        "1;0;The Mirror;1975;https://www.icheckmovies.com/movies/the+mirror/;9;Zerkalo;http://www.imdb.com/title/tt0072443/;yes;no\n"
    )
    assert fields(read(icheckmovies), "title", "year", "imdb_id", "other_titles") == [
        ("The Mirror", 1975, "tt0072443", ["Zerkalo"])
    ]


def test_the_columns_told_beforehand_are_the_files_own(tmp_path):
    path = tmp_path / "films.csv"
    path.write_text("movie_title;Jahr\nHeat;1995\n")
    first = next(iter(read_films([path])))
    assert first == Source("films.csv", ("movie_title", "Jahr"))
