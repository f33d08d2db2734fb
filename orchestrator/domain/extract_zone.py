"""Finds which time zone a question about the time means."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass

_IANA = re.compile(r"\b[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?\b")
_REGIONS = frozenset(
    {"Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"}
)
_NAME = r"[^\W\d_]+(?:[.'\u2019-][^\W\d_]+)*\.?"
_NAMES = rf"{_NAME}(?:\s+{_NAME}){{0,2}}"
# `in Berlin, Tokyo and New York`; one place after the other is tried, the longest reading first.
_PLACES = re.compile(rf"\b(?:in|at|for)\s+({_NAMES})", re.IGNORECASE)
_MORE_PLACES = re.compile(rf"\s*(?:,|,?\s+(?:and|or|und|vs)\b|&)\s*(?:(?:in|at|for)\s+)?({_NAMES})", re.IGNORECASE)
_TIME = re.compile(r"\s+time\b", re.IGNORECASE)
_LAST_NAMES = re.compile(rf"({_NAMES})$")
_ABBREVIATION = re.compile(r"\b(?:UTC|GMT|EST|EDT|ET|CST|CDT|MST|MDT|PST|PDT|PT|CET|CEST|BST|EET|JST|AEST)\b")
_OF_ABBREVIATION = {
    "GMT": "UTC", "EST": "America/New_York", "EDT": "America/New_York", "ET": "America/New_York",
    "CST": "America/Chicago", "CDT": "America/Chicago", "MST": "America/Denver", "MDT": "America/Denver",
    "PST": "America/Los_Angeles", "PDT": "America/Los_Angeles", "PT": "America/Los_Angeles", "CET": "Europe/Berlin",
    "CEST": "Europe/Berlin", "BST": "Europe/London", "EET": "Europe/Athens", "JST": "Asia/Tokyo",
    "AEST": "Australia/Brisbane",
}  # fmt: skip
# What follows `in` and is no place.
_NO_PLACE = frozenset(
    {"a", "an", "the", "my", "your", "our", "his", "her", "their", "this", "that", "these", "those", "here", "there"}
    | {"english", "german", "french", "spanish", "words", "hours", "minutes", "seconds", "digits", "full", "short"}
    | {"total", "general", "utc", "gmt", "iso", "unix", "detail", "brief", "one", "two", "three", "four", "five", "six"}
    | {"seven", "eight", "nine", "ten", "half", "me", "us", "you", "now", "fun", "sure", "free", "all", "which", "what"}
    | {"christmas", "easter", "lunch", "dinner", "breakfast", "bed", "work", "school", "noon", "midnight", "morning"}
    | {"afternoon", "evening", "night"}
)
MOST_PLACES = 4
MOST_CHARS = 1000
_MOST_NAME_CHARS = 80
# Cities that have no zone of their own name, and countries with one zone.
_OTHER_NAMES = {
    "san francisco": "America/Los_Angeles", "seattle": "America/Los_Angeles", "san diego": "America/Los_Angeles",
    "las vegas": "America/Los_Angeles", "california": "America/Los_Angeles", "boston": "America/New_York",
    "washington": "America/New_York", "miami": "America/New_York", "atlanta": "America/New_York",
    "philadelphia": "America/New_York", "new york city": "America/New_York", "nyc": "America/New_York",
    "houston": "America/Chicago", "dallas": "America/Chicago", "austin": "America/Chicago",
    "texas": "America/Chicago", "montreal": "America/Toronto", "ottawa": "America/Toronto",
    "beijing": "Asia/Shanghai", "china": "Asia/Shanghai", "shenzhen": "Asia/Shanghai", "mumbai": "Asia/Kolkata",
    "delhi": "Asia/Kolkata", "new delhi": "Asia/Kolkata", "bangalore": "Asia/Kolkata", "india": "Asia/Kolkata",
    "japan": "Asia/Tokyo", "osaka": "Asia/Tokyo", "kyoto": "Asia/Tokyo", "korea": "Asia/Seoul",
    "south korea": "Asia/Seoul", "abu dhabi": "Asia/Dubai", "tel aviv": "Asia/Jerusalem", "israel": "Asia/Jerusalem",
    "germany": "Europe/Berlin", "munich": "Europe/Berlin", "hamburg": "Europe/Berlin", "frankfurt": "Europe/Berlin",
    "cologne": "Europe/Berlin", "france": "Europe/Paris", "lyon": "Europe/Paris", "italy": "Europe/Rome",
    "milan": "Europe/Rome", "spain": "Europe/Madrid", "barcelona": "Europe/Madrid", "geneva": "Europe/Zurich",
    "switzerland": "Europe/Zurich", "austria": "Europe/Vienna", "england": "Europe/London", "uk": "Europe/London",
    "edinburgh": "Europe/London", "manchester": "Europe/London", "ireland": "Europe/Dublin", "poland": "Europe/Warsaw",
    "ukraine": "Europe/Kyiv", "turkey": "Europe/Istanbul", "greece": "Europe/Athens", "egypt": "Africa/Cairo",
    "kenya": "Africa/Nairobi", "nigeria": "Africa/Lagos", "cape town": "Africa/Johannesburg",
    "south africa": "Africa/Johannesburg", "rio": "America/Sao_Paulo", "rio de janeiro": "America/Sao_Paulo",
    "canberra": "Australia/Sydney", "new zealand": "Pacific/Auckland", "wellington": "Pacific/Auckland",
    "hawaii": "Pacific/Honolulu", "sf": "America/Los_Angeles", "la": "America/Los_Angeles",
    "florida": "America/New_York",
    "silicon valley": "America/Los_Angeles", "nepal": "Asia/Kathmandu", "thailand": "Asia/Bangkok",
    "vietnam": "Asia/Ho_Chi_Minh", "hanoi": "Asia/Bangkok", "philippines": "Asia/Manila", "taiwan": "Asia/Taipei",
    "pakistan": "Asia/Karachi", "islamabad": "Asia/Karachi", "iran": "Asia/Tehran", "sweden": "Europe/Stockholm",
    "norway": "Europe/Oslo", "denmark": "Europe/Copenhagen", "finland": "Europe/Helsinki",
    "netherlands": "Europe/Amsterdam", "holland": "Europe/Amsterdam", "belgium": "Europe/Brussels",
    "scotland": "Europe/London", "wales": "Europe/London", "britain": "Europe/London",
    "great britain": "Europe/London", "united kingdom": "Europe/London", "czech republic": "Europe/Prague",
    "hungary": "Europe/Budapest", "romania": "Europe/Bucharest", "argentina": "America/Argentina/Buenos_Aires",
    "colombia": "America/Bogota", "peru": "America/Lima", "venezuela": "America/Caracas",
    "morocco": "Africa/Casablanca",
    "saudi arabia": "Asia/Riyadh", "uae": "Asia/Dubai", "ethiopia": "Africa/Addis_Ababa",
    "kiev": "Europe/Kyiv", "wien": "Europe/Vienna", "rom": "Europe/Rome", "moskau": "Europe/Moscow",
    "deutschland": "Europe/Berlin", "muenchen": "Europe/Berlin", "munchen": "Europe/Berlin",
    "st petersburg": "Europe/Moscow", "st. petersburg": "Europe/Moscow",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FoundZones:
    """IANA names of the zones that are named, in order, each once; and a place that is named and not known."""

    zones: tuple[str, ...] = ()
    unknown: str = ""


def extract_zones(text: str, zones: Collection[str]) -> FoundZones:
    """Return the zones that are named, by themselves or by places, in whatever case the words are.

    Args:
        text: the question.
        zones: all IANA names.
    """
    text = text[:MOST_CHARS]
    written = [match[0] for match in _IANA.finditer(text)]
    named = [name for name in written if name in zones]
    named += [_OF_ABBREVIATION.get(match[0], match[0]) for match in _ABBREVIATION.finditer(text)]
    known = _Gazetteer(zones)
    places, unknown = _places(text, known)
    if not places:
        parts = (text[max(0, match.start() - _MOST_NAME_CHARS) : match.start()] for match in _TIME.finditer(text))
        before = (_LAST_NAMES.search(part) for part in parts)
        longest = (known.longest(match[1], from_end=True) for match in before if match)
        places = [found[0] for found in longest if found]
    if not (named or places):
        regional = (name for name in written if name.partition("/")[0] in _REGIONS)
        return FoundZones(unknown=unknown or next(regional, ""))
    return FoundZones(tuple(dict.fromkeys([*named, *places]))[:MOST_PLACES], "" if named else unknown)


class _Gazetteer:
    """Finds the zone of a place."""

    def __init__(self, zones: Collection[str]) -> None:
        self._zones = zones
        own = (zone for zone in sorted(zones) if zone.partition("/")[0] in _REGIONS)
        self._cities = {_plain(zone.rsplit("/", 1)[-1].replace("_", " ")): zone for zone in own}

    def longest(self, words: str, *, from_end: bool = False) -> tuple[str, int] | None:
        """Return the zone of the longest known place at the start (or end) of the words, and how long it is."""
        parts = list(re.finditer(r"\S+", words))
        for count in range(len(parts), 0, -1):
            used = parts[-count:] if from_end else parts[:count]
            phrase = words[used[0].start() : used[-1].end()]
            place = re.sub(r"['\u2019]s$", "", _plain(phrase)).strip(".,?!")
            zone = _OTHER_NAMES.get(place) or self._cities.get(place)
            if zone is not None and zone in self._zones:
                return zone, used[-1].end()
        return None


def _places(text: str, known: _Gazetteer) -> tuple[list[str], str]:
    found: list[str] = []
    unknown = ""
    for match in _PLACES.finditer(text):
        following: re.Match[str] | None = match
        while following is not None and len(found) < MOST_PLACES:
            place = known.longest(following[1])
            if place is None:
                if following is match and following[1].split(maxsplit=1)[0].lower() not in _NO_PLACE:
                    unknown = unknown or _named(following[1])
                break
            found.append(place[0])
            following = _MORE_PLACES.match(text, following.start(1) + place[1])
    return found, unknown


def _named(words: str) -> str:
    """Return the words that name an unknown place: those with a capital, or else the first one."""
    capitals = re.match(r"(?:[^\W\d_a-z]\S*\s*)+", words)
    return (capitals[0] if capitals else words.split(maxsplit=1)[0]).strip()


def _plain(text: str) -> str:
    """Return the text in lower case without accents."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character)).lower()
