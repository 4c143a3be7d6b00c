"""The dates that feeds write, as moments in UTC. Pure: no clock, so a date that lacks its year is none.

feedparser takes a zone's name that it does not know for UTC, and seconds since 1970 for a year. So these are read here:

Rule 1: a date is ISO 8601, RFC 822 or asctime, with slashes or a month's name, or a count of seconds, milliseconds or
microseconds since 1970.
Rule 2: a zone is an offset, a usual abbreviation or a name of the IANA database. A date without one is UTC. Of abbreviations
that stand for several zones, RFC 822's meaning counts (CST is American), else the one with the most people (IST is India's).
Rule 3: what is none of these is None, and never a guess.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

MOST_CHARS = 100

# Hours from UTC.
_ZONES = {
    **dict.fromkeys(("UT", "UTC", "GMT", "Z", "WET"), 0.0),
    "NST": -3.5,
    "NDT": -2.5,
    "AST": -4,
    "ADT": -3,
    "EST": -5,
    "EDT": -4,
    "ET": -5,
    "CST": -6,
    "CDT": -5,
    "CT": -6,
    "MST": -7,
    "MDT": -6,
    "MT": -7,
    "PST": -8,
    "PDT": -7,
    "PT": -8,
    "AKST": -9,
    "AKDT": -8,
    "HST": -10,
    "HDT": -9,
    "BRT": -3,
    "BRST": -2,
    "ART": -3,
    "UYT": -3,
    "CLT": -4,
    "CLST": -3,
    "BOT": -4,
    "VET": -4,
    "COT": -5,
    "PET": -5,
    "WEST": 1,
    "BST": 1,
    "CET": 1,
    "MET": 1,
    "MEZ": 1,
    "CEST": 2,
    "MEST": 2,
    "MESZ": 2,
    "EET": 2,
    "EEST": 3,
    "MSK": 3,
    "TRT": 3,
    "WAT": 1,
    "CAT": 2,
    "SAST": 2,
    "EAT": 3,
    "IDT": 3,
    "IRST": 3.5,
    "GST": 4,
    "SAMT": 4,
    "AZT": 4,
    "AFT": 4.5,
    "PKT": 5,
    "UZT": 5,
    "YEKT": 5,
    "IST": 5.5,
    "NPT": 5.75,
    "OMST": 6,
    "MMT": 6.5,
    "ICT": 7,
    "WIB": 7,
    "KRAT": 7,
    "HKT": 8,
    "SGT": 8,
    "MYT": 8,
    "PHT": 8,
    "WITA": 8,
    "AWST": 8,
    "IRKT": 8,
    "JST": 9,
    "KST": 9,
    "WIT": 9,
    "YAKT": 9,
    "ACST": 9.5,
    "ACDT": 10.5,
    "AEST": 10,
    "AEDT": 11,
    "VLAT": 10,
    "NZST": 12,
    "NZDT": 13,
}
_UNITS_S = {9: 1.0, 10: 1.0, 12: 1e-3, 13: 1e-3, 15: 1e-6, 16: 1e-6}  # by the count's digits: from 1973 to 2286
_COUNT = re.compile(r"(\d{9,16})(?:\.\d{1,9})?", re.ASCII)
_IANA = re.compile(r"[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_+-]+){1,2}")
_OFFSET = re.compile(r"(?:UTC|GMT)\s*([+-])(\d{1,2})(?::?(\d\d))?", re.ASCII)
_NAME = r"(?:UTC|GMT)\s*[+-][\d:]+|[A-Za-z_+-]{1,20}(?:/[A-Za-z_+-]{1,30}){0,2}"
_ZONE = re.compile(rf"(?<=\d|[mM. ])\s*\(?({_NAME})\)?(\s+\d{{4}})?")
_SHORT = re.compile(r"(\d\d?):(\d\d)(:\d\d)?\s*([ap])\.?m\.?(?=\W|$)", re.IGNORECASE | re.ASCII)
_COLON = re.compile(r"([+-]\d\d):(\d\d)\b", re.ASCII)  # within an offset; RFC 822 knows none
_FORMS = ("%B %d, %Y %H:%M:%S", "%B %d, %Y %H:%M", "%B %d, %Y", "%b %d, %Y %H:%M:%S", "%b %d, %Y %H:%M", "%b %d, %Y")


def moment_of(value: object) -> datetime | None:
    """The moment that a feed's date means, in UTC; None if it is no date."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = " ".join(str(value).split())
    if not text or len(text) > MOST_CHARS:
        return None
    try:
        moment = _counted(text) or _written(text)
        return None if moment is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # a day that is not there, or before the year 1 in UTC
        return None


def _counted(text: str) -> datetime | None:
    """A count of units since 1970."""
    found = _COUNT.fullmatch(text)
    unit_s = None if found is None else _UNITS_S.get(len(found[1]))
    return None if unit_s is None else datetime.fromtimestamp(float(text) * unit_s, UTC)


def _written(text: str) -> datetime | None:
    if text.isdecimal():
        return _compact(text)
    text, zone = _without_zone(_COLON.sub(r"\1\2", text))
    moment = _parsed(_SHORT.sub(_in_24_hours, text))
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=zone or UTC)


def _compact(digits: str) -> datetime | None:
    """20260105 or 20260105090000, UTC. `fromisoformat` would take any digit for the T between."""
    form = {8: "%Y%m%d", 14: "%Y%m%d%H%M%S"}.get(len(digits))
    return None if form is None else datetime.strptime(digits, form).replace(tzinfo=UTC)


def _without_zone(text: str) -> tuple[str, tzinfo | None]:
    """A date without its zone's name, and that zone; as it was, and None, if it names none that is known."""
    for found in _ZONE.finditer(text):
        if found.end() == len(text) and (zone := _zone(found[1])) is not None:
            return text[: found.start()].rstrip() + (found[2] or ""), zone
    return text, None


def _zone(name: str) -> tzinfo | None:
    if found := _OFFSET.fullmatch(name):
        minutes = 60 * int(found[2]) + int(found[3] or 0)
        return timezone(timedelta(minutes=minutes if found[1] == "+" else -minutes))
    if _IANA.fullmatch(name):
        try:
            return ZoneInfo(name)
        except (OSError, ValueError, KeyError):  # no such zone, or a machine without the database
            return None
    hours = _ZONES.get(name.upper())
    return None if hours is None else timezone(timedelta(hours=hours))


def _in_24_hours(found: re.Match[str]) -> str:
    hour = int(found[1]) % 12 + (12 if found[4] in "pP" else 0)
    return f"{hour:02}:{found[2]}{found[3] or ''}"


def _parsed(text: str) -> datetime | None:
    dashed = re.sub(
        r"^(\d{4})/(\d\d?)/(\d\d?)", lambda day: f"{day[1]}-{day[2]:0>2}-{day[3]:0>2}", text, flags=re.ASCII
    )
    try:
        return datetime.fromisoformat(dashed.removesuffix(","))
    except ValueError:
        pass
    for form in _FORMS:
        try:
            return datetime.strptime(text, form)  # its zone comes from `_without_zone`
        except ValueError:
            continue
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
