"""Words of column names and of kinds, in the languages that people's lists are written in.

Rule 1: words are compared folded: without case, accents, blanks and punctuation ("Année de sortie" is "anneedesortie").
Rule 2: of several columns with the same meaning, the earlier word here comes first.
"""

from __future__ import annotations

import unicodedata

_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe"})


def folded(name: str) -> str:
    """A name without case, accents, blanks and punctuation.

    >>> folded("Année de sortie"), folded("BAŞLIK"), folded("imdb_id")
    ('anneedesortie', 'baslik', 'imdbid')
    """
    if not name.isascii():
        plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
        name = plain.translate(_LETTERS)
    return "".join(filter(str.isalnum, name.casefold()))


def _words(text: str) -> tuple[str, ...]:
    """The folded words of a text in which commas and line ends part them, each once."""
    return tuple(dict.fromkeys(filter(None, map(folded, text.replace("\n", ",").split(",")))))


TITLES = _words(
    """title, name, film, movie, primary title, movies, films, titles, title name, label
    titel, filmtitel, titre, titre du film, nom, nom du film, titre français, título, película, nombre, título en español
    titolo, titolo italiano, nome, filme, título do filme, naam, tytuł, tytuł polski, tytuł filmu, nazwa, polski tytuł
    название, название фильма, русское название, фильм, наименование, назва, назва фільму, фільм, українська назва
    başlık, film adı, filmin adı, isim
    türkçe adı, 标题, 片名, 电影, 电影名, 电影名称, 影片, 名称, 中文名, 標題, 電影, 電影名
    影片名稱, タイトル, 題名, 作品名, 映画, 映画名, 映画タイトル, 邦題, 제목, 영화, 영화제목, 영화 제목, 작품명
    namn, filmnamn, navn, tittel, filmtittel, nimi, elokuva, elokuvan nimi, otsikko, název, název filmu, názov
    názov filmu, cím, film címe, magyar cím, titlu, titlul, titlu film, denumire, τίτλος, ταινία, τίτλος ταινίας, заглавие
    naslov, naziv, naslov filma, العنوان, عنوان, اسم الفيلم
    الفيلم, כותרת, שם, שם הסרט, סרט, शीर्षक, फिल्म, ชื่อเรื่อง, ชื่อ
    ภาพยนตร์, tiêu đề, tên phim, phim, judul, judul film
    pavadinimas, nosaukums, pealkiri, títol, pel·lícula, فیلم, نام فیلم"""
)
"""Names of the column that says what a film is called."""

ENGLISH_TITLES = _words(
    """english title, title english, title en, name en, english name, english, international title
    world title, world-wide title
    englischer titel, titre anglais, título en inglés, título inglés, titolo inglese, tytuł angielski, английское название
    英文名, 英文片名, 英題, 영어 제목"""
)
LOCAL_TITLES = _words(
    """local title, localized title, localised title, translated title, display title, aka, aka title, aka titles
    alternative title, alternate title, alternative titles, also known as, german title, deutscher titel, title de
    french title, title fr, spanish title, title es, italian title, title it, polish title, title pl, russian title
    title ru, portuguese title, title pt, japanese title, title ja, chinese title, title zh, sort title"""
)
ORIGINAL_TITLES = _words(
    """original title, original name, title original, originaltitel, titre original, título original, titolo originale
    originele titel, oorspronkelijke titel, tytuł oryginalny, oryginalny tytuł, оригинальное название, оригинал
    название оригинал, оригінальна назва, orijinal ad
    orijinal adı, özgün ad, özgün adı, orijinal başlık, 原名, 原标题, 原片名
    原題, 원제, originaltittel, alkuperäinen nimi, alkuperäisnimi, originální název, původní název, pôvodný názov
    eredeti cím, titlu original, πρωτότυπος τίτλος, оригинално заглавие, originalni naslov"""
)
ORIGINAL_MARKS = {
    *_words("original, orig, originale, originalny, oryginalny, оригинал, 原, 原文, vo, ov, оригинальное")
}
LANGUAGES = {
    *_words(
        """en, de, fr, es, it, pt, nl, pl, ru, uk, tr, zh, ja, ko, sv, da, fi, cs, sk, hu, ro, el, he, ar, us, gb, vf
        english, german, french, spanish, italian, portuguese, dutch, polish, russian, ukrainian, turkish, chinese, japanese
        korean, swedish, norwegian, danish, finnish, czech, slovak, hungarian, romanian, greek, hebrew, arabic, romaji
        englisch, deutsch, deutscher, anglais, français, française, inglés, español, inglese, italiano, inglês, português
        engels, nederlands, angielski, polski, английский, русский, türkçe, ingilizce, local, lokal, international
        alternative, alternativ, english us, english uk, pinyin, latin, translated, localized"""
    )
}
"""Words that tell, beside one for a title, in which language it is."""

SHOW_TITLES = _words(
    "show title, show name, series title, series name, show, tv show, tv series, serienname, grandparent title"
)
"""Names of a column that is filled for series only."""

YEARS = _words(
    """year, release year, year released, year of release, production year, start year, premiere year
    jahr, erscheinungsjahr, produktionsjahr, filmjahr, année, année de sortie, année de production, año, año de estreno
    anno, anno di uscita, anno di produzione, ano, ano de lançamento, ano de produção, jaar, jaar van uitgave
    rok, rok produkcji, rok premiery, rok wydania, год, год выпуска, год выхода, год производства, рік, рік випуску
    yıl, yılı, yapım yılı, vizyon yılı, 年, 年份, 年代
    上映年份, 年度, 公開年, 製作年, 制作年, 연도, 년도, 제작연도, 개봉연도, 개봉년도
    år, utgivningsår, produktionsår, udgivelsesår, utgivelsesår, vuosi, julkaisuvuosi, valmistumisvuosi, rok vydání
    rok výroby, rok vydania, év, gyártási év, megjelenés éve, an, anul, an lansare, έτος, χρονιά, година, godina, leto, سنة
    السنة, سنة الإنتاج, שנה, वर्ष, ปี, năm, tahun, any
    leto izida, godina izdanja, metai, gads, aasta, سال"""
)
RELEASES = _words(
    """released, release date, date released, release, premiere date, premiere, original release date, in cinemas
    erscheinungsdatum, kinostart, veröffentlichung
    date de sortie, sortie, fecha de estreno, estreno, data di uscita, uscita
    data de lançamento, estreia, releasedatum, data premiery, premiera, дата выхода, дата релиза, премьера, дата виходу
    çıkış tarihi, vizyon tarihi, 上映日期, 上映时间, 公開日, 개봉일, premiär, premiärdatum, premieredato, ensi-ilta
    datum premiéry, premiéra, bemutató, data lansării, ημερομηνία κυκλοφορίας"""
)
"""Names of columns with dates, or years: looked at where no year is given."""

IMDB_IDS = _words(
    "const, tconst, imdb id, imdb, imdb const, imdb tconst, imdb number, imdb url, imdb link, imdb title id, id imdb"
)
TMDB_IDS = _words(
    "tmdb id, tmdb, tmdb movie id, the movie db id, themoviedb, moviedb, moviedb id, tmdb url, tmdb link, id tmdb"
)
ANY_IDS = _words("media id, identifier, external id, source id, id")
ID_SOURCES = _words("source, provider, id type, id source, database, site")

KINDS = _words(
    """type, kind, title kind, work type, program type, video type, object type, medium, supplemental video type
    movie or tv, movie tv, tv or movie, tv movie, movie or show, movie or series, film or series, film or tv, title type
    type of title, type of media, type of work, kind of title
    media type, media, item type, content type, entry type, anime type, lot, media kind
    typ, art, medientyp, genre type, type de titre, tipo
    tipo di titolo, tipo de título, rodzaj, тип, тип медиа, tür, türü, 类型
    類型, 種類, タイプ, 종류, 유형, tyyppi, típus, tip, τύπος"""
)
"""Names of columns that say what kind of thing a row is about."""

LOOSE_KINDS = _words("category, format, list, group, section, class, library, kategorie, categorie, categoria, 分类")
"""The same of columns that often say something else: only a plain kind is taken from them."""

FILM_NAMES = {*_words("movie, movies, film, films, фильм, фильмы, фільм, 电影, 電影, 映画, 영화")}
"""Names of films, of which one beside "TV" tells that a column is about kinds."""

FILM_FLAGS = _words("is movie, is film, is a movie, is a film")
SERIES_FLAGS = _words(
    "is series, is tv, is show, is tv show, is tv series, is a series, is episode, is season, is game"
)

EPISODES = _words(
    """season, season number, season no, season title, episode, episode number, episode no, episode title, episode name
    ep, ep number, eps, eps watched, episodes watched, last episode
    last ep watched, number of episodes, number of seasons, seasons, episodes, watched episodes, season episode
    total episodes, watched episodes count, total episodes count, first air date, first aired, last air date, last aired
    staffel, folge, episodentitel, saison, épisode, numéro de saison, temporada, episodio, capítulo, stagione, episódio
    seizoen, aflevering, sezon, odcinek, сезон, серия
    эпизод, bölüm, 季, 集, シーズン, エピソード, 시즌, 에피소드, säsong, avsnitt
    sæson, afsnit, sesong, kausi, jakso, sezóna, epizoda, évad, epizód"""
)
"""Names of columns that are filled for seasons and episodes only."""

COMPANIONS = _words(
    """date, rating, tags, url, letterboxd uri, position, description, watched date, rank, my rating, your rating, watched
    rated at, watched at, listed at, date rated, link, genre, genres, director, directors, notes, runtime, votes, score
    bewertung, datum, regie, note, réalisateur, nota, fecha, voto, regista, regia, director, cijfer, beoordeling, ocena
    reżyser, data, оценка, дата, режиссер, оцінка
    puan, tarih, yönetmen, 评分, 日期, 导演, 評価, 日付, 監督, 평점, 날짜, 감독
    betyg, vurdering, arvosana, hodnocení, hodnotenie, értékelés, pontszám, βαθμολογία, оценка, ocjena"""
)
"""Names that are often found beside them, and tell a line of column names from a film that is called "Film"."""

WRAPPERS = _words(
    "movie, film, content, media, item, node, ids, provider ids, unique id, external ids, data, attributes"
)
"""Objects that hold a film, or its ids, inside an entry of JSON."""

SHOW_WRAPPERS = _words("show, series, tv show")
EPISODE_WRAPPERS = _words("episode, season")

# ── kinds ───────────────────────────────────────────────────────────────────────────────────────────────────────────

FILM_WORDS = {
    *_words(
        """movie, movies, film, films, feature, features, short, shorts, special, specials, video, videos, tvmovie, tvshort
        tvspecial, tvfilm, telefilm, fernsehfilm, kurzfilm, spielfilm, kinofilm, filme, filmes, película, películas
        filmler, фильм, фильмы, фільм, кино, 电影, 電影, 映画, 영화
        elokuva, elokuvat, ταινία, filmai, filmy, filmek, cinema"""
    )
}
MEDIUM_WORDS = {"video", "videos"}
"""Words for a film that media servers write beside an episode too: alone they say nothing."""

SERIES_WORDS = {
    *_words(
        """series, serie, serien, serier, séries, serial, serials
        seriale, seriál, seriály, sorozat, sorozatok, dizi, diziler
        tvshow, tvshows, tvmini, show, shows, tvseries, tvserie, tvminiseries, miniseries, miniserie, miniserien, miniséries
        fernsehserie, fernsehserien, reeks, sarja, sarjat, сериал, сериалы, серіал, мультсериал, телесериал, σειρά, σειρές
        مسلسل, סדרה, 电视剧, 電視劇, 剧集, 劇集, 连续剧, ドラマ, テレビ
        드라마, 시리즈, webserie, webseries, soap, docuseries"""
    )
}
TELEVISION = {
    *_words("tv, television, fernsehen, テレビ, tele, télé, televisione, televisão, televisión, тв, telewizja")
}
"""These name a series only if nothing else stands beside them: there are TV documentaries and plays."""

SEASON_WORDS = {
    *_words("season, seasons, staffel, saison, temporada, stagione, sezon, сезон, シーズン, seizoen, tvseason")
}
EPISODE_WORDS = {
    *_words("episode, episodes, tvepisode, folge, épisode, episodio, episódio, odcinek, эпизод, серия, エピソード")
}
ANIME_WORDS = {*_words("anime, animes, アニメ, аниме, ona, donghua")}
GAME_WORDS = {*_words("game, games, videogame, videogames, boardgame, boardgames, spiel, videospiel, jeu, juego, игра")}
OTHER_WORDS = {
    "a book": {*_words("book, books, novel, novels, manga, mangas, comic, comics, buch, livre, libro, książka, книга")},
    "music": {*_words("music, album, albums, song, songs, track, musik, musique, música, artist")},
    "a podcast": {*_words("podcast, podcasts")},
    "a trailer": {*_words("trailer, teaser, hook, promotional, recap, bonus")},
    "a person": {*_words("person, persons, people, actor, director")},
}
NEVER_FILMS = {"a podcast", "a trailer"}
"""Even if a word for a film stands beside them, as in "bonus video"; a music video is a film."""

NO_WORDS = {"0", "false", "no", "n", "f", "nein", "non", "nie", "нет", "falsch", "faux", "-"}
