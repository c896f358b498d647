"""Formats: what type a column of texts is, and how its dates, numbers and nulls are written; told by its values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import product

#: Spellings of null in a column of another type than text, in small letters.
NULLS = frozenset("? - -- . n/a na #n/a null (null) none nan nil \\n unknown missing".split())

#: Those that are no word of any language: null in a text too.
_NULLS_OF_TEXT = frozenset("null (null) #n/a \\n".split())

#: A day that is none, as old systems write a missing one, and the last day that they know.
_NO_DAY = re.compile(r"(0{1,4}[./-]0{1,2}[./-]0{1,4}|0{6}|0{8})([ T]00:00(:00)?)?")
_LAST_DAY = re.compile(r"(9999[./-]?12[./-]?31|31[./-]?12[./-]?9999|12/31/9999)([ T](00|23):(00|59)(:(00|59))?)?")

_TRUTHS = frozenset("true false t f yes no y n".split())
_FLAG_NAME = re.compile(r"(is|has|was)_|_(flag|enrolled|active|yn)$|(flag|enrolled)$", re.IGNORECASE)

_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}:\d{2}([.]\d{1,6})?(Z|[+-]\d{2}:\d{2})?)?")

_TIMES = ("", " %H:%M:%S", " %H:%M", "T%H:%M:%S")
_ORDERS = (("%d", "%m", "%Y"), ("%m", "%d", "%Y"), ("%Y", "%m", "%d"), ("%d", "%m", "%y"), ("%m", "%d", "%y"))
_WORDED = ("%d-%b-%Y", "%d %b %Y", "%d-%b-%y", "%b %d %Y")
_SOLID = ("%Y%m%d", "%y%m%d", "%d%m%Y")

_DAY_NAME = re.compile(
    r"date|day|time|datum|fecha|data(?!_)|issued|opened|closed|booked|created|updated|since|_on$|_at$|^dt|_dt$|valuta",
    re.IGNORECASE,
)
_MONEY_NAME = re.compile(
    r"amount|amt|balance|saldo|betrag|montant|importe|price|limit|fee|payment|salary_|turnover|umsatz|premium",
    re.IGNORECASE,
)

#: What names a thing: letters among its digits are no damage.
_IDENTIFIER = re.compile(r"(id|no|nr|nummer|number|code|key|ref)$")

#: How much of a column's values may have more than two places before it is no decimal of two.
_FINE = 0.001

#: Of so many values, a share of so many may be damaged and yet not change what the column is.
_MANY, _DAMAGED = 100, 0.01

#: Fewer different values than this tell little of a column whose name tells nothing.
_FEW = 30


@dataclass(frozen=True)
class Format:
    """A column's type and how its values are written; `question` is what its values can't tell.

    `precision` and `scale` are the digits that a decimal is stored with, where they are not a column's own.
    """

    type: str = "string"
    formats: tuple[str, ...] = ()
    decimal: str = ""
    thousands: str = ""
    currency: str = ""
    precision: int | None = None
    scale: int | None = None
    null: tuple[str, ...] = ()
    why: str = ""
    question: str = ""

    @property
    def is_time(self) -> bool:
        """Whether it is a date or a timestamp."""
        return self.type in ("date", "timestamp")


def format_of(name: str, values: Iterable[str]) -> Format:
    """Return how a column of that name, with these texts, is written; of no texts it is a string."""
    texts = [text for text in map(str.strip, values) if text]
    if not texts:
        return Format(question="it is always empty: what is it?", why="always empty")
    nulls = _spelled_nulls(texts, NULLS)
    rest = [text for text in texts if text not in nulls]
    found = _written(name, rest)
    if found is None and len(rest) >= _MANY and not _IDENTIFIER.search(name):
        most = _most_alike(rest)
        found = _written(name, most) if most else None
        if found:
            found = replace(found, question=found.question or _damaged(found.type, len(most), rest))
    if found is None:
        nulls = _spelled_nulls(texts, _NULLS_OF_TEXT)
        return Format(null=nulls, why="text")
    return replace(found, null=(*nulls, *found.null))


def _written(name: str, texts: Sequence[str]) -> Format | None:
    return _boolean(name, texts) or _time(name, texts) or _number(name, texts)


def _most_alike(texts: Sequence[str]) -> list[str]:
    """The texts without those of a rare shape, none where these are too many to be damage."""
    shapes = [re.sub(r"\d+", "9", re.sub("[A-Za-z]+", "a", text)) for text in texts]
    counts = Counter(shapes)
    kept = [text for text, shape in zip(texts, shapes, strict=True) if counts[shape] > _DAMAGED * len(texts)]
    return kept if len(texts) > len(kept) >= (1 - _DAMAGED) * len(texts) else []


def _spelled_nulls(texts: Iterable[str], allowed: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted({text for text in texts if text.lower() in allowed}))


def _boolean(name: str, texts: Sequence[str]) -> Format | None:
    seen = {text.lower() for text in texts}
    if not seen:
        return None
    is_flag = seen <= {"0", "1"} and _FLAG_NAME.search(name)
    if seen <= _TRUTHS or is_flag:
        return Format(type="boolean", why=f"its values are {', '.join(sorted(seen))}")
    return None


def _time(name: str, texts: Sequence[str]) -> Format | None:
    nulls = tuple(sorted({text for text in texts if _NO_DAY.fullmatch(text) or _LAST_DAY.fullmatch(text)}))
    rest = [text for text in texts if text not in nulls]
    if not rest:
        return None
    days = sum(_ISO_DAY.fullmatch(text) is not None and _is_day(text) for text in rest)
    if days >= _enough(rest):
        return Format(type="date", null=nulls, why="days such as 2024-02-29", question=_damaged("date", days, rest))
    instants = sum(_ISO_INSTANT.fullmatch(text) is not None and _is_day(text[:10]) for text in rest)
    if instants >= _enough(rest):
        question = _damaged("timestamp", instants, rest)
        return Format(type="timestamp", null=nulls, why="instants such as 2024-02-29 10:00:00", question=question)
    formats, fit = _formats_of(name, rest)
    if not formats:
        return None
    kind = "timestamp" if any("%H" in one for one in formats) else "date"
    share = "every value is" if fit == len(rest) else f"{fit:,} of {len(rest):,} values seen are"
    question = _day_or_month(formats, rest) or _damaged(kind, fit, rest)
    return Format(type=kind, formats=formats, null=nulls, why=f"{share} of {' or '.join(formats)}", question=question)


def _enough(texts: Sequence[str]) -> float:
    """How many of some texts have to be of a type: all of a few, and of many all but a little damage."""
    return len(texts) * (1 - _DAMAGED) if len(texts) >= _MANY else len(texts)


def _damaged(kind: str, fit: int, texts: Sequence[str]) -> str:
    return f"{len(texts) - fit:,} of {len(texts):,} values seen are no {kind}: why?" if fit < len(texts) else ""


def _is_day(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y-%m-%d")
    except ValueError:
        return False
    return True


def _formats_of(name: str, texts: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """The format that fits all, or two that do together, and how many texts they fit; none where no two do."""
    left = Counter(texts)
    found: list[str] = []
    while left and len(found) < 2:
        counted = [(sum(left[text] for text in left if _fits(text, one)), one) for one in _candidates(min(left))]
        most = max((count for count, _ in counted), default=0)
        if not most:
            break
        best = next(one for count, one in counted if count == most)
        found.append(best)
        left = Counter({text: count for text, count in left.items() if not _fits(text, best)})
    fit = len(texts) - left.total()
    if not found or fit < _enough(texts) or (_is_solid(found) and not _means_days(name, texts)):
        return (), 0
    return tuple(found), fit


def _candidates(text: str) -> Iterator[str]:
    """The formats that may be of a text, the likelier first."""
    separator = next((sign for sign in "/.-" if sign in text), "")
    for time in _TIMES:
        if separator:
            yield from (separator.join(order) + time for order in _ORDERS)
        yield from (one + time for one in (*_WORDED, *_SOLID))


def _fits(text: str, format_: str) -> bool:
    digits = {"%d": r"\d{1,2}", "%m": r"\d{1,2}", "%H": r"\d{1,2}", "%M": r"\d{2}", "%S": r"\d{2}", "%y": r"\d{2}"}
    if _is_solid([format_]):
        digits |= {"%d": r"\d{2}", "%m": r"\d{2}"}
    pattern = re.escape(format_)
    for directive, accepted in {**digits, "%Y": r"\d{4}", "%b": "[A-Z][a-z]{2}"}.items():
        pattern = pattern.replace(directive, accepted)
    if not re.fullmatch(pattern, text):
        return False
    try:
        return 1900 <= datetime.strptime(text, format_).year <= 2200
    except ValueError:
        return False


def _is_solid(formats: Iterable[str]) -> bool:
    """Whether a format has no sign between its parts, so that any number might be of it."""
    return any(one.startswith(_SOLID) for one in formats)


def _means_days(name: str, texts: Sequence[str]) -> bool:
    different = len(set(texts))
    named = _DAY_NAME.search(name) is not None and not re.search(r"_id$|_no$|number|birth", name, re.IGNORECASE)
    return " " in texts[0] or named or (different >= _FEW and not re.search("birth", name, re.IGNORECASE))


def _day_or_month(formats: Sequence[str], texts: Sequence[str]) -> str:
    """The question whether the day or the month comes first, '' where some value answers it."""
    first = formats[0]
    if not first.startswith(("%d", "%m")) or "%b" in first or _is_solid([first]):
        return ""
    day, month = ("%d", "%m") if first.startswith("%d") else ("%m", "%d")
    other = first.replace(day, "%x").replace(month, day).replace("%x", month)
    both = all(_fits(text, other) for text in set(texts) if _fits(text, first))
    return f"is its format '{first}' or '{other}'? Every value seen is of both" if both else ""


def _number(name: str, texts: Sequence[str]) -> Format | None:
    if not texts:
        return None
    currency = _currency(texts)
    bare = [_without(text, currency) for text in texts]
    for decimal, thousands in product(".,", ("", ".", ",", " ", "'")):
        if decimal != thousands and all(_of_number(decimal, thousands).fullmatch(text) for text in bare):
            return _typed_number(name, bare, decimal, thousands, currency)
    return None


def _currency(texts: Sequence[str]) -> str:
    signs = {re.sub(r"[\s\d.,'()+-]", "", text) for text in texts} - {""}
    one = next(iter(signs), "")
    is_currency = re.fullmatch(r"[A-Za-z]{2,5}|[$€£¥₹₽₺₩]", one)
    return one if len(signs) == 1 and is_currency else ""


def _without(text: str, currency: str) -> str:
    return text.removeprefix(currency).removesuffix(currency).strip() if currency else text


def _of_number(decimal: str, thousands: str) -> re.Pattern[str]:
    whole = r"\d+" if not thousands else rf"(\d{{1,3}}({re.escape(thousands)}\d{{3}})+|\d+)"
    number = rf"({whole}({re.escape(decimal)}\d*)?|{re.escape(decimal)}\d+)"
    exponent = r"([eE][+-]?\d+)?" if decimal == "." and not thousands else ""
    return re.compile(rf"[+-]?{number}{exponent}|\({number}\)|{number}-")


def _typed_number(name: str, texts: Sequence[str], decimal: str, thousands: str, currency: str) -> Format | None:
    plain = [
        text.replace(thousands, "").replace(decimal, ".") if thousands else text.replace(decimal, ".") for text in texts
    ]
    if any(re.fullmatch(r"0\d+", text) for text in plain):
        return None  # 007 is no number but a name: as a number it would be 7's
    marks = any(text.endswith("-") or text.startswith("(") for text in texts)
    grouped = bool(thousands) and any(thousands in text for text in texts)
    written = Format(
        decimal=decimal if decimal == "," or (marks and not currency and not grouped) else "",
        thousands=thousands if grouped else "",
        currency=currency,
        question=_thousands_or_places(texts, decimal, thousands),
    )
    places = [len(text.rstrip(")-").partition(".")[2]) for text in plain]
    fine = sum(count > 2 for count in places) + 1000 * sum("e" in text.lower() for text in plain)
    if all(re.fullmatch(r"[(+-]?\d+([.]0*)?[)-]?", text) for text in plain) and not _is_money(name, plain):
        return replace(written, type="integer", why="every value is whole") if _fits_64_bits(plain) else None
    if fine > _FINE * len(plain):
        return replace(written, type="float", why=f"up to {max(places)} places")
    why = (
        "numbers of at most two places"
        if not fine
        else f"{fine:,} of {len(plain):,} values seen have more than two places"
    )
    return replace(written, type="decimal", why=why)


def _fits_64_bits(texts: Iterable[str]) -> bool:
    return all(len(re.sub(r"[.]0*|\D", "", text)) <= 18 for text in texts)


def _is_money(name: str, texts: Iterable[str]) -> bool:
    return _MONEY_NAME.search(name) is not None and not all(text in ("0", "1") for text in texts)


def _thousands_or_places(texts: Sequence[str], decimal: str, thousands: str) -> str:
    """The question whether a mark stands between thousands or before places, '' where some value answers it."""
    mark = thousands or decimal
    marked = [text for text in texts if mark in text]
    if not marked or not all(re.fullmatch(rf"[+-]?\d{{1,3}}{re.escape(mark)}\d{{3}}", text) for text in marked):
        return ""
    return f"does '{mark}' stand between thousands or before places? Three digits follow it in every value"
