"""Check digits: NPI, DEA, VIN, and which social security numbers can exist."""

from __future__ import annotations

_VIN_VALUES = {
    **{str(d): d for d in range(10)},
    **dict(zip("ABCDEFGH", range(1, 9), strict=True)),
    **dict(zip("JKLMN", range(1, 6), strict=True)),
    **dict(zip("STUVWXYZ", range(2, 10), strict=True)),
    "P": 7,
    "R": 9,
}
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def luhn(digits: str) -> bool:
    """Whether a string of digits passes the Luhn check (ISO/IEC 7812-1)."""
    total = 0
    for position, digit in enumerate(map(int, reversed(digits))):
        doubled = digit * 2 if position % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def is_npi(digits: str) -> bool:
    """Whether ten digits are a National Provider Identifier: Luhn with the prefix 80840 (45 CFR 162.406)."""
    return len(digits) == 10 and digits.isdigit() and digits[0] in "12" and luhn("80840" + digits)


def is_dea(number: str) -> bool:
    """Whether two letters (or a letter and 9) and seven digits pass the DEA registration check."""
    letters, digits = number[:2], number[2:]
    if len(number) != 9 or not letters[0].isalpha() or not digits.isdigit():
        return False
    d = list(map(int, digits))
    return (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]


def is_vin(number: str) -> bool:
    """Whether 17 characters are a North American vehicle identification number (49 CFR 565.15)."""
    number = number.upper()
    if len(number) != 17 or any(c not in _VIN_VALUES for c in number):
        return False
    remainder = sum(_VIN_VALUES[c] * w for c, w in zip(number, _VIN_WEIGHTS, strict=True)) % 11
    return number[8] == ("X" if remainder == 10 else str(remainder))


def is_ssn(digits: str) -> bool:
    """Whether nine digits can be a social security number (SSA: no area 000, 666 or 9xx, group 00, serial 0000)."""
    return (
        len(digits) == 9
        and digits[:3] not in ("000", "666")
        and digits[0] != "9"
        and digits[3:5] != "00"
        and digits[5:] != "0000"
    )
