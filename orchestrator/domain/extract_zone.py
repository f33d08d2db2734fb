"""Finds which time zone a question about the time means."""

from __future__ import annotations

import re
from collections.abc import Collection

_IANA = re.compile(r"\b[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?\b")
_PLACE = re.compile(r"\b(?:[Ii]n|[Aa]t|[Ff]or)\s+((?:[A-Z][\w'\u2019.-]*)(?:\s+[A-Z][\w'\u2019.-]*){0,2})")
_UTC = re.compile(r"\b(?:UTC|GMT|Zulu\s+time)\b")
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
    "hawaii": "Pacific/Honolulu",
}  # fmt: skip


def extract_zone(text: str, zones: Collection[str]) -> str | None:
    """Return the IANA name of the zone that is named, by itself or by a place, or None when none is.

    Args:
        text: the question.
        zones: all IANA names.
    """
    for match in _IANA.finditer(text):
        if match[0] in zones:
            return match[0]
    if _UTC.search(text):
        return "UTC"
    cities = {zone.rsplit("/", 1)[-1].replace("_", " ").lower(): zone for zone in sorted(zones) if "/" in zone}
    for match in _PLACE.finditer(text):
        words = match[1].rstrip(".?!").split()
        while words:
            place = " ".join(words).lower().removesuffix("'s")
            found = _OTHER_NAMES.get(place) or cities.get(place)
            if found in zones:
                return found
            words.pop()
    return None
