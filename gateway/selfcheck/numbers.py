"""Numbers that pass their checksums, made by chance each time: a detector that knows them by heart finds nothing."""

from __future__ import annotations

import string
from random import Random

_DNI = "TRWAGMYFPDXBNJZSQVHLCKE"
_CONSONANTS = "BCDFGLMNPRSTVZ"
_MONTHS = "ABCDEHLMPRST"
_TOWNS = ("F205", "H501", "L219", "F839", "D612", "A944")
_ODD = dict(
    zip(
        string.digits + string.ascii_uppercase,
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
         10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip
"""What a character at an odd place counts in an Italian fiscal code."""
_EVEN = {sign: at % 10 if at < 10 else at - 10 for at, sign in enumerate(string.digits + string.ascii_uppercase)}


def digits(chance: Random, count: int) -> str:
    return "".join(chance.choice(string.digits) for _ in range(count))


def iban(chance: Random) -> str:
    """A German one: any account number will do."""
    account = str(chance.randint(1, 8)) + digits(chance, 17)
    check = 98 - int(account + "131400") % 97
    whole = f"DE{check:02}{account}"
    return " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))


def card(chance: Random) -> str:
    first = "4" + str(chance.randint(5, 9)) + digits(chance, 13)
    doubled = (int(sign) * (2 - at % 2) for at, sign in enumerate(first))
    whole = first + str(-sum(value // 10 + value % 10 for value in doubled) % 10)
    return " ".join(whole[at : at + 4] for at in range(0, 16, 4))


def italian_fiscal_code(chance: Random) -> str:
    letters = "".join(chance.choice(_CONSONANTS) for _ in range(6))
    born = f"{chance.randint(50, 99)}{chance.choice(_MONTHS)}{chance.randint(1, 28) + chance.choice((0, 40)):02}"
    first = letters + born + chance.choice(_TOWNS)
    total = sum((_EVEN if at % 2 else _ODD)[sign] for at, sign in enumerate(first))
    return first + string.ascii_uppercase[total % 26]


def spanish_dni(chance: Random) -> str:
    number = chance.randint(10_000_000, 79_999_999)
    return f"{number}{_DNI[number % 23]}"


def german_tax_id(chance: Random) -> str:
    """Of its first ten digits exactly one stands there twice; the last is a check digit (ISO 7064, mod 11,10)."""
    drawn = chance.sample(string.digits, 9)
    drawn.append(chance.choice(drawn))
    while True:
        chance.shuffle(drawn)
        first = "".join(drawn)
        if first[0] != "0":
            break
    product = 10
    for sign in first:
        total = (int(sign) + product) % 10 or 10
        product = total * 2 % 11
    return first + str((11 - product) % 10)


def french_social_security(chance: Random) -> str:
    place = f"{chance.randint(1, 95):02}".replace("20", "21")  # 20 is written 2A or 2B
    number = (
        f"{chance.randint(1, 2)}{chance.randint(40, 99)}{chance.randint(1, 12):02}{place}{chance.randint(1, 399):03}"
    )
    number += f"{chance.randint(1, 999):03}"
    whole = number + f"{97 - int(number) % 97:02}"
    return " ".join((whole[0], whole[1:3], whole[3:5], whole[5:7], whole[7:10], whole[10:13], whole[13:]))


def american_social_security(chance: Random) -> str:
    return f"{chance.randint(130, 580)}-{chance.randint(11, 88)}-{chance.randint(2000, 9899)}"


def italian_mobile(chance: Random) -> str:
    return f"+39 34{chance.randint(0, 9)} {digits(chance, 3)} {digits(chance, 4)}"


def key(chance: Random) -> str:
    return "ghp_" + "".join(chance.choice(string.ascii_letters + string.digits) for _ in range(36))


def password(chance: Random) -> str:
    """One of each sort, and no sign that a URL or JSON would write differently."""
    sorts = (string.ascii_uppercase, string.ascii_lowercase, string.digits)
    return "".join(chance.choice(sorts[at % 3]) for at in range(15)) + "x"
