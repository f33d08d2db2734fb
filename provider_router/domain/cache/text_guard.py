"""What two texts must share to mean the same, whatever their vectors say.

Vectors of sentences hardly see a number, a name or a "not": "pay 100 to Ann" and "pay 900 to Bob" are neighbours. So a
semantic hit asks that everything below is the same in both texts, in the same order:

- numbers, and words with digits in them;
- what stands in quotes or in code, links and addresses;
- names: words with a capital letter inside a sentence, and words in capitals;
- negations, question words but "what" and "which", counts, days, and words with an opposite (more, before, buy, ...).

Lists are compared whole, never by their start.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_CHARS = 1_000
"""Longer texts are not compared by meaning: the embedding model reads no more, so it would not see what differs."""

_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]+`", re.DOTALL)
_QUOTED = re.compile(
    r"\"[^\"\n]+\"|\u201e[^\u201c-\u201e\n]+[\u201c\u201d]|\u201c[^\u201c\u201d\n]+\u201d|\u00ab[^\u00ab\u00bb\n]+\u00bb|(?<!\w)'[^'\n]+'(?!\w)"
)
_LINK = re.compile(r"\b(?:https?://|www\.)\S+|(?<!\S)\S+@\S+|(?:/[\w.-]+){2,}|\b\w+\.\w+\b", re.IGNORECASE)
_NUMBER = re.compile(r"(?:[-+]|(?<!\w))\w*\d[\w.,:/%-]*|[%\u20ac$\u00a3]")
_WORD = re.compile(r"[^\W\d_](?:[\w'\u2019-]*\w)?")
_SENTENCE_END = re.compile(r"[.!?:;\n]\s*$")
_LITERALS = (("code", _CODE), ("quote", _QUOTED), ("link", _LINK), ("number", _NUMBER))
_TRAILING = ".,:;!?/-"
_WINDOW = 4
_ENDINGS = ("ing", "ed", "en", "em", "er", "es", "e", "s", "n", "d", "t")
_LEAST_STEM = 2
_SYMBOLS = re.compile(r"[=<>*/^|&~\\{}\[\]#]")

_NEGATIONS = """
    not no never none nothing nobody neither nor cannot can't don't doesn't didn't isn't aren't wasn't weren't won't
    shouldn't wouldn't couldn't hasn't haven't without except unless nicht kein keine keinen keinem keiner keines
    nie niemals niemand nichts weder ohne außer pas ne non jamais aucun aucune rien sans sauf nunca nada nadie
    ninguno ninguna sin salvo mai nessuno niente senza
"""
_QUESTIONS = """
    who whom whose when where why how wer wen wem wessen wann wo woher wohin warum wieso weshalb wie qui quand où
    pourquoi comment combien quién cuándo dónde cómo cuánto cuántos chi quando dove perché quanto
"""
_OPPOSITES = """
    more less most least fewer greater smaller bigger larger higher lower highest lowest best worst better worse
    cheap cheaper cheapest expensive before after first last next previous old older oldest new newer newest young
    younger youngest longer longest short shorter shortest fast faster fastest slow slower slowest up down left
    right above below over under off from against add remove delete create increase decrease rise fall start stop
    begin end open close enable disable allow forbid include exclude ascending descending minimum maximum min max
    true false yes positive negative pro buy sell win lose love hate good bad male female man woman men women boy
    girl north south east west early earlier late later always often rarely today tomorrow yesterday morning evening
    import export upload download encrypt decrypt encode decode push pull read write send receive advantages
    disadvantages pros cons cause effect same different all each both hot cold big small high low many few summer
    winter mehr weniger meisten wenigsten größer kleiner größte kleinste höher niedriger höchste niedrigste beste
    schlechteste besser schlechter billig billiger billigste teuer teurer teuerste vor nach erste letzte nächste
    vorige alt älter älteste neu neuer neueste jung jünger jüngste lang länger längste kurz kürzer kürzeste schnell
    schneller schnellste langsam langsamer oben unten links rechts über unter gegen hinzufügen entfernen löschen
    erstellen erhöhen senken steigen fallen starten stoppen öffnen schließen aktivieren deaktivieren erlauben
    verbieten aufsteigend absteigend minimal maximal wahr falsch ja nein kaufen verkaufen gewinnen verlieren mann
    frau männer frauen norden süden osten westen früh früher spät später immer oft selten heute morgen gestern
    vorteile nachteile alle von aus bei kalt heiß warm groß klein hoch tief viele wenige plus moins meilleur pire
    avant après premier dernier vieux nouveau jeune court rapide lent haut bas gauche droite contre ajouter
    supprimer augmenter diminuer ouvrir fermer acheter vendre vrai faux oui toujours aujourd'hui demain hier
    avantages inconvénients más menos mejor peor antes después primero último viejo nuevo joven largo corto rápido
    lento arriba abajo izquierda derecha contra añadir eliminar aumentar disminuir abrir cerrar comprar vender
    verdadero falso sí siempre hoy mañana ayer ventajas desventajas
"""
_COUNTS_AND_DAYS = """
    one two three four five six seven eight nine ten eleven twelve hundred thousand million half twice double eins
    zwei drei vier fünf sechs sieben acht neun zehn elf zwölf hundert tausend halb doppelt deux trois quatre cinq
    sept huit neuf dix cent mille dos tres cuatro cinco seis siete ocho nueve diez cien due tre quattro cinque sette
    otto nove dieci cento monday tuesday wednesday thursday friday saturday sunday january february march april june
    july august september october november december lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes
    miércoles jueves viernes sábado domingo janvier février mars avril juin juillet août septembre octobre novembre
    décembre enero febrero marzo abril junio julio agosto septiembre octubre noviembre diciembre
"""
_FILLED_IN = """
    a an the is are was were be been am do does did can could would will shall may might i you he she it we they me
    my your our their his her its this that these those of and or please tell give show explain let's let us s t der
    die das den dem des ein eine einen einem einer eines ist sind war waren sein bin bist kann kannst könnte
    könntest ich du er sie es wir ihr mir mich dir dich mein dein und oder bitte sag sage gib zeig erkläre mal denn
    doch le la les un une de est sont je tu il elle nous vous mon ton et ou stp el los las una unos son yo tú él
    ella mi y o por favor lo gli uno sono io lui lei e what which welche welcher welches welchen que qué quel quelle
    quels quelles cuál quale come to in on for into out with some any für mit avec pour con para zu einige as at by
"""
_TELLING = frozenset(f"{_NEGATIONS} {_QUESTIONS} {_OPPOSITES} {_COUNTS_AND_DAYS}".split())
_FILLERS = frozenset(_FILLED_IN.split()) - _TELLING


@dataclass(frozen=True, slots=True)
class TextGuard:
    """What is compared besides the vectors.

    Attributes:
        marks: Everything that must be the same, in order.
        words: The other words that carry meaning, in lower case, as they stand.
    """

    marks: tuple[str, ...]
    words: tuple[str, ...]


def guard_of(text: str) -> TextGuard | None:
    """Reads `text`; None for one that is empty or too long to be compared by meaning."""
    text = text.strip()
    if not text or len(text) > MOST_CHARS:
        return None
    marks: list[str] = []
    rest = text
    for kind, pattern in _LITERALS:
        marks += [f"{kind} {found.rstrip(_TRAILING)}" for found in pattern.findall(rest)]
        rest = pattern.sub(" \u2026 ", rest)
    marks += [f"symbol {found}" for found in _SYMBOLS.findall(rest)]
    names, words = _names_and_words(rest)
    marks += names
    told = [_telling(word) for word in words]
    marks += [f"telling {word}" for word in told if word]
    meant = [word for word, telling in zip(words, told, strict=True) if not telling and word not in _FILLERS]
    return TextGuard(tuple(marks), tuple(meant))


def _telling(word: str) -> str:
    """The telling word that `word` is, with or without an ending; empty for any other word."""
    if word in _TELLING:
        return word
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > _LEAST_STEM:
            if stem in _TELLING:
                return stem
            if f"{stem}e" in _TELLING:
                return f"{stem}e"
    return ""


def _names_and_words(text: str) -> tuple[list[str], list[str]]:
    names: list[str] = []
    words: list[str] = []
    for match in _WORD.finditer(text):
        word = match.group().replace("\u2019", "'")
        lower = word.lower()
        words.append(lower)
        before = text[max(0, match.start() - _WINDOW) : match.start()]
        begins = (match.start() < _WINDOW and not before.strip()) or _SENTENCE_END.search(before) is not None
        if word not in (lower, "I") and (not begins or (len(word) > 1 and word.isupper())):
            names.append(f"name {lower}")
    return names, words
