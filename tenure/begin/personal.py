"""Personal columns: told by how their values are built, and by their names. No value of one is ever shown."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

#: The share of a column's values that have to be built alike.
_ALIKE = 0.8

#: Fewer values than this are no proof by themselves.
_LEAST = 5

_EMAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[A-Za-z]{2,}")
_PHONE = re.compile(
    r"(\+|00)[1-9][\d ()./-]{6,18}\d|\(?0\d{1,4}\)?[ /.-]\d[\d ./-]{3,12}\d|\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4}"
)
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")
_CARD = re.compile(r"\d{13,19}")
_ADDRESS = re.compile(r"(\d{1,3}\.){3}\d{1,3}")
_CZECH = re.compile(r"\d{6}/\d{3,4}")
_AMERICAN = re.compile(r"\d{3}-\d{2}-\d{4}")
_BRITISH = re.compile(r"[A-CEGHJ-PR-TW-Z]{2}( ?\d{2}){3} ?[A-D]")
_SPANISH = re.compile(r"[XYZ\d]\d{7}[A-Z]")
_ITALIAN = re.compile(r"[A-Z]{6}\d{2}[A-Z]\d{2}[A-Z]\d{3}[A-Z]")
_FRENCH = re.compile(r"[12]\d{2}(0[1-9]|1[0-2])\d{10}")
_POLISH = re.compile(r"\d{11}")

#: What a name says of a column that the law keeps out of decisions on people.
PROTECTED = "protected trait"

#: The names of personal columns, in several languages; a name's parts stand between underscores.
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "name": r"(full|first|last|given|family|middle|maiden|sur|fore|holder|owner|customer|client)_?names?|names?|"
        r"vorname|nachname|nom|prenom|nombre|apellidos?|cognome|imie|nazwisko|jmeno|prijmeni",
        "e-mail": r"e_?mail(_address)?|mail|courriel|correo",
        "phone": r"(tele|cell)?phone(_number|_no)?|mobile(_number|_no|_phone)?|telefon(o|e)?|handy|tel|fax|gsm",
        "address": r"(street|home|postal|mailing)?_?address(_line)?_?\d?|street|strasse|str|adresse|direccion|rue|"
        r"ulice|house_(no|number)|latitude|longitude",
        "birth": r".*birth.*|born(_on)?|dob|geburts.*|naissance|nacimiento|narozeni",
        "national id": r"ssn|sin|nino|pesel|cpf|rut|curp|nif|nie|dni|bsn|rodne_?cislo|fiscal_code|codice_fiscale|"
        r"(national|personal|tax|social_security|identity|passport)_?(id|no|nr|number|code)?|tin|passport.*|"
        r"id_(card|document)(_number|_no)?|driv(er|ing)s?_licen[cs]e.*",
        "account number": r"iban|bban|(partner|counter|counterparty|beneficiary|creditor|debtor|payee|payer)_?"
        r"(account|acct|iban|name).*|(account|acct|konto|cuenta|compte)(_to|_from|_number|_no|_nr)?|kontonummer",
        "card number": r"pan|card_?(number|no|nr)|kartennummer|cvv|cvc",
        PROTECTED: r"gender|sex|marital(_status)?|race|ethnicity|religion|nationality|citizenship|disability",
        "network address": r"ip(_address)?|device_id|mac_address",
    }
)
#: Names of columns that may number a bank's own rows: personal only if no table has them for a key.
_OWN_NUMBER = re.compile(r"(account|acct|konto|cuenta|compte)_(number|no|nr)|kontonummer")

_PATTERNS = tuple((what, re.compile(pattern)) for what, pattern in _NAMES.items())


def personal(name: str, values: Sequence[str]) -> str:
    """Return why a column is personal, in words without any value of it; '' where nothing says so."""
    return by_values(values) or by_name(name)


def is_protected(why: str) -> bool:
    """Return whether the words that `personal` gave of a column say that the law protects it."""
    return why == _by_name_words(PROTECTED)


def may_number_rows(name: str, values: Sequence[str]) -> bool:
    """Return whether a column that its name alone calls personal may be the number by which a bank knows its rows."""
    return _OWN_NUMBER.fullmatch(name) is not None and not by_values(values)


def by_name(name: str) -> str:
    """Return what its name says of a column, in snake case; '' where it says nothing."""
    what = next((what for what, pattern in _PATTERNS if pattern.fullmatch(name)), "")
    return _by_name_words(what) if what else ""


def _by_name_words(what: str) -> str:
    return f"its name says {what}"


def by_values(values: Sequence[str]) -> str:
    """Return how its values are built, where that is how a person's data are; '' where it is not."""
    different = sorted({value.strip() for value in values} - {""})
    if len(different) < _LEAST:
        return ""
    for what, is_of in _BUILT.items():
        if _share(different, is_of) >= _ALIKE:
            return f"{_share(different, is_of):.0%} of {len(different):,} values seen are built as {what}"
    return ""


def _share(values: Sequence[str], is_of: Callable[[str], bool]) -> float:
    return sum(map(is_of, values)) / len(values)


def is_iban(text: str) -> bool:
    """Whether a text is an IBAN: its remainder by 97 is 1."""
    plain = text.replace(" ", "").upper()
    if not _IBAN.fullmatch(plain):
        return False
    return int("".join(str(int(sign, 36)) for sign in plain[4:] + plain[:4])) % 97 == 1


def is_card(text: str) -> bool:
    """Whether a text is a card's number: its digits pass Luhn's check, and a card network's number begins so."""
    plain = re.sub("[ -]", "", text)
    if not _CARD.fullmatch(plain) or plain[0] not in "23456":
        return False
    return _luhn(plain)


def _luhn(digits: str) -> bool:
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 if number > 9 else number for number in doubled) % 10 == 0


def _is_address(text: str) -> bool:
    return _ADDRESS.fullmatch(text) is not None and all(int(part) < 256 for part in text.split("."))


def _is_pesel(text: str) -> bool:
    if not _POLISH.fullmatch(text):
        return False
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    return sum(int(digit) * weight for digit, weight in zip(text, weights, strict=True)) % 10 == 0


def _is_any(*patterns: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: any(pattern.fullmatch(text) for pattern in patterns)


#: What a person's data are built as, in words, and the test of a text.
_BUILT: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "e-mail addresses": _is_any(_EMAIL),
        "IBANs, with their check digits": is_iban,
        "card numbers, with Luhn's digit": is_card,
        "national ids": _is_any(_CZECH, _AMERICAN, _BRITISH, _SPANISH, _ITALIAN, _FRENCH),
        "national ids (PESEL), with their check digit": _is_pesel,
        "phone numbers": _is_any(_PHONE),
        "network addresses": _is_address,
    }
)
