"""The digits by which numbers of banks, cards and states prove themselves."""
from __future__ import annotations

IBAN_LENGTHS = {
    "DE": 22, "AT": 20, "CH": 21, "LI": 21, "LU": 20, "FR": 27, "IT": 27, "ES": 24, "NL": 18, "BE": 16, "GB": 22, "IE": 22, "PL": 28,
    "CZ": 24, "SK": 24, "HU": 28, "SI": 19, "HR": 21, "DK": 18, "SE": 24, "NO": 15, "FI": 18, "PT": 25, "GR": 27, "RO": 24, "BG": 22,
    "TR": 26, "EE": 20, "LV": 21, "LT": 20, "MT": 31, "CY": 28, "MC": 27, "SM": 27, "RS": 22, "BA": 20, "ME": 22, "MK": 19, "AL": 28,
    "UA": 29, "AE": 23, "IL": 23, "SA": 24, "XK": 20, "GI": 23, "IS": 26, "AD": 24}


def is_iban(value: str) -> bool:
    """Whether letters and digits are an account number (ISO 13616: mod 97 gives 1)."""
    code = "".join(char for char in value.upper() if char.isalnum())
    if not 15 <= len(code) <= 34 or not code.isascii() or not code[:2].isalpha():
        return False
    return int("".join(str(int(char, 36)) for char in code[4:] + code[:4])) % 97 == 1


def luhn(digits: str) -> bool:
    """Whether the last digit proves the others (ISO/IEC 7812), as on every card."""
    values = [int(char) for char in reversed(digits)]
    return sum(values[::2]) % 10 == sum(sum(divmod(2 * value, 10)) for value in values[1::2]) * 9 % 10


def is_tax_id(digits: str) -> bool:
    """Whether eleven digits are a German Steuer-ID (ISO 7064 mod 11, 10)."""
    if len(digits) != 11 or digits[0] == "0":
        return False
    product = 10
    for char in digits[:10]:
        total = (int(char) + product) % 10 or 10
        product = 2 * total % 11
    return (11 - product) % 10 == int(digits[10])


def is_ahv(digits: str) -> bool:
    """Whether 13 digits are a Swiss AHV number (EAN-13)."""
    if len(digits) != 13 or not digits.startswith("756"):
        return False
    return (10 - sum(int(char) * (3 if place % 2 else 1) for place, char in enumerate(digits[:12])) % 10) % 10 == int(digits[12])


def is_austrian(digits: str) -> bool:
    """Whether ten digits are an Austrian insurance number: its fourth proves the others."""
    weights = (3, 7, 9, 0, 5, 8, 4, 2, 1, 6)
    return len(digits) == 10 and sum(int(char) * weight for char, weight in zip(digits, weights, strict=True)) % 11 == int(digits[3])
