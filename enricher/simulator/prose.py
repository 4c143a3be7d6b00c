"""Articles that nobody wrote: titles, authors and text in three languages, each a function of a seed and a name. Pure.

A sentence is a template with slots. The subject of an article (its thing and its place) is drawn once and stands in the
title and in the first sentence, so that an analysis of the text has something to find. German and French things are
chosen so that their article is the same wherever a template puts them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from .behaviour import chance

T = TypeVar("T")


class Dice:
    """A row of draws that depends on its seed and its name alone."""

    def __init__(self, seed: int, *name: object) -> None:
        self._seed, self._name, self._drawn = seed, name, 0

    def share(self) -> float:
        """A number in (0, 1)."""
        self._drawn += 1
        return chance(self._seed, *self._name, self._drawn)

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self.share() * (high - low + 1))

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[int(self.share() * len(options))]


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a text as a reader sees it: a paragraph, a heading, an entry of a list, a quotation."""

    kind: Literal["p", "h2", "li", "quote"]
    text: str


@dataclass(frozen=True, slots=True)
class Language:
    """The words of a language. `things` are what articles are about, each with its parts."""

    code: str
    things: Sequence[tuple[str, Sequence[str]]]
    places: Sequence[str]
    bodies: Sequence[str]
    people: Sequence[str]
    months: Sequence[str]
    qualities: Sequence[str]
    titles: Sequence[str]
    leads: Sequence[str]
    sentences: Sequence[str]
    headings: Sequence[str]
    update: str
    comments: Sequence[str]
    menu: Sequence[str]
    advert: str
    by: str


@dataclass(frozen=True, slots=True)
class _Slots:
    """Fills a template's slots, each time with something else, but for the subject of the article."""

    language: Language
    dice: Dice
    subject: Mapping[str, str]
    parts: Sequence[str]

    def __getitem__(self, slot: str) -> str:
        if slot in self.subject:
            return self.subject[slot]
        words, dice = self.language, self.dice
        match slot:
            case "part":
                return dice.pick(self.parts)
            case "place":
                return dice.pick(words.places)
            case "body":
                return dice.pick(words.bodies)
            case "person":
                return dice.pick(words.people)
            case "month":
                return dice.pick(words.months)
            case "quality":
                return dice.pick(words.qualities)
            case "year":
                return str(dice.between(1978, 2031))
            case "few":
                return str(dice.between(3, 19))
            case "percent":
                return str(dice.between(11, 89))
            case _:  # many
                return str(dice.between(120, 9_800))

    def fill(self, template: str) -> str:
        return template.format_map(self)


class Writer:
    """Writes one article: its title, author, and text of about `size` characters."""

    def __init__(self, language: Language, seed: int, *name: object) -> None:
        self._language, self._name, self._seed = language, name, seed
        dice = Dice(seed, *name, "subject")
        thing, parts = dice.pick(language.things)
        subject = {"thing": thing, "Thing": thing[:1].upper() + thing[1:], "home": dice.pick(language.places)}
        self._slots = _Slots(language, dice, subject, parts)
        self.title = self._slots.fill(dice.pick(language.titles))
        self.author = dice.pick(language.people)
        self.lead = self._slots.fill(dice.pick(language.leads))

    def text(self, size: int, revision: int) -> tuple[Block, ...]:
        """The text. A revision above 0 has another second paragraph, and another last one that says so."""
        blocks, written, number = [Block("p", f"{self.lead} {self._sentences(('p', 0), 2)}")], 0, 0
        while written < size:
            number += 1
            blocks += self._section(number, revision if number == 1 else 0)
            written = sum(len(block.text) for block in blocks)
        if revision:
            update = self._language.update.format(revision=revision)
            blocks.append(Block("p", f"{update} {self._sentences(('update', revision), 1)}"))
        return tuple(blocks)

    def _section(self, number: int, revision: int) -> list[Block]:
        """A paragraph, and now and then a heading before it, or a quotation or a list after it."""
        dice = Dice(self._seed, *self._name, "section", number)
        blocks = [Block("p", self._sentences(("section", number, revision), dice.between(2, 5)))]
        if number % 4 == 0:
            blocks.insert(0, Block("h2", dice.pick(self._language.headings)))
        if number % 5 == 3:
            blocks.append(Block("quote", self._sentences(("quote", number), 1)))
        if number % 7 == 5:
            blocks += [Block("li", self._sentences(("entry", number, entry), 1)) for entry in range(3)]
        return blocks

    def _sentences(self, where: tuple[object, ...], count: int) -> str:
        dice = Dice(self._seed, *self._name, *where)
        slots = replace(self._slots, dice=dice)
        first = dice.between(0, len(self._language.sentences) - 1)
        # Templates that follow each other in a paragraph are different ones.
        step = dice.pick((1, 3, 7))
        templates = [
            self._language.sentences[(first + step * at) % len(self._language.sentences)] for at in range(count)
        ]
        return " ".join(map(slots.fill, templates))

    def comment(self, number: int) -> tuple[str, str]:
        """Who comments, and what: never a sentence of the text."""
        dice = Dice(self._seed, *self._name, "comment", number)
        words = " ".join(dice.pick(self._language.comments) for _ in range(dice.between(1, 3)))
        return f"{dice.pick(self._language.people).split()[0].lower()}{dice.between(10, 99)}", words


ENGLISH = Language(
    code="en",
    things=(
        ("tidal turbine", ("rotor", "sea cable", "gearbox", "control room", "concrete foot", "service boat")),
        ("night train", ("sleeping car", "timetable", "platform", "ticket office", "signal box", "locomotive")),
        ("seed library", ("catalogue", "drying room", "lending desk", "cold store", "volunteer list", "label")),
        ("bicycle bridge", ("handrail", "ramp", "steel deck", "lighting", "expansion joint", "counting station")),
        ("heat network", ("pipeline", "heat pump", "storage tank", "meter", "transfer station", "insulation")),
        ("reading clinic", ("waiting room", "word list", "lesson plan", "loan shelf", "teacher training", "test")),
        ("harbour crane", ("winch", "cabin", "counterweight", "rail track", "brake", "maintenance plan")),
        ("weather station", ("rain gauge", "mast", "data logger", "radio link", "solar panel", "archive")),
        ("honey garden", ("flower strip", "hive scale", "hedge", "watering place", "plant list", "fence")),
        ("water archive", ("sample bottle", "laboratory", "shelf", "inventory", "pump", "freezer")),
    ),
    places=(
        *(
            "Ashcombe",
            "Brindle Bay",
            "Carrow",
            "Dunmere",
            "Eastwick Sands",
            "Farrow Hill",
            "Glenmore",
            "Harrowgate Quay",
        ),
        *("Inverlay", "Kestrel Point", "Larkfield", "Merrow", "Northolt Fen", "Oxenby", "Pellham", "Quarrington"),
        *("Rushden Vale", "Stowe Harbour", "Thornby", "Ullsworth", "Varley", "Westering", "Yarrowdale", "Zennor Cross"),
    ),
    bodies=(
        *("the Institute for Coastal Research", "the city council", "the University of Merrow", "the Audit Office"),
        *("the consumers' association", "the Chamber of Crafts", "the Ministry of Transport", "the savings bank"),
        *("the Open Data Office", "the regional museum"),
    ),
    people=(
        *("Ada Winterbourne", "Basil Okafor", "Clara Lindqvist", "Dev Malhotra", "Edith Marlowe", "Femi Adeyemi"),
        *("Greta Holloway", "Hugo Pemberton", "Iris Kowalska", "Jonas Whitfield", "Keziah Brown", "Leo Tanaka"),
        *("Mina Farrell", "Noor Siddiqui", "Owen Rhys", "Petra Novak"),
    ),
    months=("January", "March", "May", "July", "September", "November"),
    qualities=("sober", "surprising", "late", "convincing", "modest", "clever", "costly", "sturdy", "fragile"),
    titles=(
        "How {home} rebuilt its {thing}",
        "What {few} months with a {thing} taught {home}",
        "A quieter {thing} for {home}",
        "{home} puts its {thing} to the test",
        "The {quality} success of the {thing} in {home}",
        "Why {home} wants to keep its {thing} after {few} years",
        "{percent} percent more: the {thing} of {home} in figures",
    ),
    leads=(
        "The {thing} in {home} needs {percent} percent less energy than planned, a study by {body} has found.",
        "After {few} months of trials, {home} has decided to keep its {thing}, and {body} has told why.",
        "A survey of {many} people in {home} shows that the {thing} is used twice as often as expected.",
        "In {home}, a {thing} that was meant to last {few} years has become the model for {few} other towns.",
    ),
    sentences=(
        "{person}, who speaks for {body}, calls the result {quality}, but warns that {few} months are a short time.",
        "In {place}, {many} households took part, and {percent} percent of them wanted to go on.",
        "The {part} was the hardest piece of work: it had to be taken apart {few} times before it did what it should.",
        "Nobody had expected that the {part} would matter more in the end than the {part}.",
        "According to {body}, the yearly costs fell from {many} thousand to {few} thousand euros.",
        '"We have counted everything twice," says {person}, who has looked after the {thing} since {year}.',
        "A first attempt in {place} failed in {year} because the {part} was too {quality} for the climate there.",
        "For the comparison, the researchers measured the {part} on {many} days and at {few} places.",
        "Critics such as {person} point out that the {part} still depends on public money.",
        "By {year}, {home} wants to have {few} of them, and {place} is said to be interested as well.",
        "What is new is less the {part} than the way in which it is used from {month} on.",
        "The report of {few} chapters lists {percent} weaknesses, among them the {part} and the {part}.",
        "Visitors hardly notice it, yet without the {part} the whole {thing} would stand still.",
        "If the plan holds, the {part} will be replaced in {month}, and the {thing} will run through the winter.",
        "{person}, who teaches in {place}, sees in it a {quality} answer to an old question.",
        "After {few} weeks the difference could be seen: {percent} percent less waste and {many} fewer complaints.",
        "The method is simple: {few} groups used the old {part}, {few} others the new one, and {body} kept the books.",
        "Whether this can be repeated elsewhere will be decided in {place}, where work began in {month}.",
        "It was {person} who first wrote down how the {part} and the {part} belong together.",
    ),
    headings=("How it began", "What was measured", "Money and patience", "The view from next door", "What comes next"),
    update="Update {revision}: this article was corrected after publication.",
    comments=(
        "Thanks, I had been wondering about this for ages.",
        "My uncle worked there and he tells it differently!",
        "Please stop putting adverts between the paragraphs.",
        "Does anybody know whether it is open at weekends?",
        "First!",
        "I doubt it, but it was a nice read all the same.",
    ),
    menu=("Home", "News", "Opinion", "Culture", "Weather", "Jobs", "Archive", "Newsletter", "Contact"),
    advert="Advertisement: mattresses at half price, only until Sunday. Order now!",
    by="By",
)

GERMAN = Language(
    code="de",
    things=(
        ("die Gezeitenturbine", ("die Welle", "das Getriebe", "die Leitung zum Ufer", "das Fundament")),
        ("das Wärmenetz", ("die Rohrleitung", "die Übergabestation", "das Speicherbecken", "die Dämmung")),
        ("die Fahrradbrücke", ("das Geländer", "die Rampe", "die Beleuchtung", "die Zählstelle")),
        ("das Saatgutarchiv", ("die Kühlkammer", "das Verzeichnis", "die Trocknung", "die Ausgabestelle")),
        ("die Wetterstation", ("die Messreihe", "das Funkgerät", "die Batterie", "das Archiv")),
        ("die Leseschule", ("die Wortliste", "das Wartezimmer", "die Ausleihe", "die Fortbildung")),
    ),
    places=(
        *("Ahrensbüll", "Bergfelde", "Dünental", "Eichwerder", "Fährmünde", "Grünhöfen", "Hohenlinde", "Kaltenbrück"),
        *("Lührsdorf", "Möhringen", "Niederau", "Rabenstein", "Süderhaven", "Uhlenbek", "Wiesengrund", "Zarnow"),
    ),
    bodies=(
        *("die Stadtverwaltung", "die Hochschule", "die Handwerkskammer", "die Verbraucherzentrale"),
        *("die Sparkasse", "die Landesregierung"),
    ),
    people=(
        *("Anke Brodersen", "Björn Wächter", "Christa Löwe", "Dirk Hauenstein", "Elif Yildiz"),
        *("Frieda Übelacker", "Gero Nagel", "Hanna Köster", "Jörg Petersen", "Mareike Süß"),
    ),
    months=("Januar", "März", "Mai", "Juli", "September", "November"),
    qualities=("nüchtern", "überraschend", "überzeugend", "bescheiden", "klug", "teuer", "zerbrechlich"),
    titles=(
        "{home} prüft {thing}",
        "Was {home} nach {few} Monaten über {thing} weiß",
        "{home} behält {thing}: {percent} Prozent sind dafür",
        "Warum {thing} für {home} so wichtig ist",
    ),
    leads=(
        "{Thing} in {home} braucht {percent} Prozent weniger Strom als geplant, wie eine Studie zeigt.",
        "Nach {few} Monaten im Versuch steht fest: {thing} bleibt in {home}, und {body} nennt die Gründe.",
        "Eine Umfrage unter {many} Menschen in {home} zeigt, dass {thing} öfter genutzt wird als erwartet.",
    ),
    sentences=(
        "{person} nennt das Ergebnis {quality}, warnt aber davor, nach {few} Monaten schon ein Urteil zu fällen.",
        "In {place} haben {many} Haushalte mitgemacht, und {percent} Prozent davon wollten weitermachen.",
        "Am schwierigsten war der Anfang: {few} Mal musste alles zerlegt werden, bis {part} funktionierte.",
        "Niemand hatte erwartet, dass {part} am Ende wichtiger sein würde als alles andere.",
        "Die jährlichen Kosten sanken von {many} Tausend auf {few} Tausend Euro.",
        "„Wir haben alles zweimal gezählt“, sagt {person}, seit {year} für den Betrieb zuständig.",
        "Ein erster Versuch in {place} war {year} gescheitert, weil {part} dem Wetter dort nicht gewachsen war.",
        "Für den Vergleich wurde an {many} Tagen und an {few} Orten gemessen.",
        "Kritisch sieht das {person}: Ohne öffentliches Geld wäre {part} längst stillgelegt.",
        "Bis {year} will {home} noch mehr davon, und auch {place} soll Interesse haben.",
        "Neu ist weniger die Technik als die Art, wie sie seit {month} genutzt wird.",
        "Wer vorbeikommt, bemerkt es kaum, und doch stünde ohne die tägliche Pflege alles still.",
        "Nach {few} Wochen war der Unterschied zu sehen: {percent} Prozent weniger Abfall, {many} Beschwerden weniger.",
    ),
    headings=("Wie es begann", "Was gemessen wurde", "Geld und Geduld", "Wie es weitergeht"),
    update="Nachtrag {revision}: Dieser Artikel wurde nach dem Erscheinen berichtigt.",
    comments=(
        "Danke, das wollte ich schon lange wissen.",
        "Mein Onkel hat dort gearbeitet und erzählt es anders!",
        "Bitte weniger Werbung zwischen den Absätzen.",
        "Weiß jemand, ob am Wochenende geöffnet ist?",
    ),
    menu=("Startseite", "Nachrichten", "Meinung", "Kultur", "Wetter", "Stellen", "Archiv", "Impressum"),
    advert="Anzeige: Matratzen zum halben Preis, nur bis Sonntag. Jetzt bestellen!",
    by="Von",
)

FRENCH = Language(
    code="fr",
    things=(
        ("la turbine marémotrice", ("le rotor", "la salle de contrôle", "le câble sous-marin", "la fondation")),
        ("le train de nuit", ("la voiture-lit", "le guichet", "le quai", "la locomotive")),
        ("la passerelle cyclable", ("la rampe", "le garde-corps", "la station de comptage", "le tablier")),
        ("la grainothèque", ("le catalogue", "la chambre froide", "le prêt", "le séchoir")),
        ("la station météo", ("le mât", "la liaison radio", "le panneau solaire", "la série de mesures")),
    ),
    places=(
        *("Aubrive", "Belrivage", "Clairfontaine", "Douvrac", "Épernon", "Fontmartin", "Grandval", "Hautecombe"),
        *("Larmoran", "Montclair", "Noirétang", "Port-Hélène", "Rochebrune", "Sainte-Ariane", "Valombre"),
    ),
    bodies=("la mairie", "la région", "la chambre des métiers", "la caisse d'épargne", "la Cour des comptes"),
    people=(
        *("Amélie Rousset", "Benoît Carpentier", "Chloé Garnier", "Djamel Ferhat", "Élise Montagne", "François Lebrun"),
        *("Gaëlle Kerdoncuf", "Hélène Vasseur", "Inès Barbier"),
    ),
    months=("janvier", "mars", "mai", "juillet", "septembre", "novembre"),
    qualities=("sobre", "surprenant", "convaincant", "modeste", "coûteux", "fragile"),
    titles=(
        "{home} met à l'essai {thing}",
        "Pourquoi {home} garde {thing} après {few} ans",
        "Ce que {few} mois ont appris à {home} sur {thing}",
        "À {home}, {thing} en chiffres",
    ),
    leads=(
        "À {home}, {thing} consomme {percent} pour cent d'énergie de moins que prévu, selon une étude.",
        "Après {few} mois d'essais, {home} a décidé de garder {thing}, et {body} explique pourquoi.",
        "Une enquête auprès de {many} habitants montre que {thing} est deux fois plus utile que prévu à {home}.",
    ),
    sentences=(
        "{person} juge le résultat {quality}, mais rappelle que {few} mois ne suffisent pas pour conclure.",
        "À {place}, {many} ménages ont participé, et {percent} pour cent d'entre eux voulaient continuer.",
        "Le plus difficile fut le début : il a fallu tout démonter {few} fois avant que {part} fonctionne.",
        "Personne ne s'attendait à ce que {part} compte plus que tout le reste.",
        "Les coûts annuels sont passés de {many} mille à {few} mille euros.",
        "« Nous avons tout compté deux fois », dit {person}, qui s'en occupe depuis {year}.",
        "Un premier essai à {place} avait échoué en {year}, car {part} ne supportait pas le climat.",
        "Pour la comparaison, les mesures ont été faites pendant {many} jours et à {few} endroits.",
        "{person} n'est pas du même avis : sans argent public, {part} serait déjà à l'arrêt.",
        "D'ici {year}, {home} en voudrait davantage, et l'on dit que {place} s'y intéresse aussi.",
        "Ce qui est nouveau, c'est moins la technique que la manière dont on s'en sert depuis {month}.",
        "Après {few} semaines la différence se voyait : {percent} pour cent de déchets en moins.",
    ),
    headings=("Comment tout a commencé", "Ce qui a été mesuré", "De l'argent et de la patience", "Et après ?"),
    update="Mise à jour {revision} : cet article a été corrigé après sa parution.",
    comments=(
        "Merci, je me posais la question depuis longtemps.",
        "Mon oncle y travaillait et il raconte autre chose !",
        "Moins de publicité entre les paragraphes, s'il vous plaît.",
    ),
    menu=("Accueil", "Actualités", "Opinions", "Culture", "Météo", "Emploi", "Archives", "Contact"),
    advert="Publicité : matelas à moitié prix, jusqu'à dimanche. Commandez !",
    by="Par",
)
