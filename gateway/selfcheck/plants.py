"""What is planted: one made-up value of each kind, in a sentence of its language, and how to know it again."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from random import Random

from gateway.selfcheck import numbers
from gateway.selfcheck.numbers import digits

HARD = {
    "en": "Prove that the square root of 2 is irrational, then generalise the proof to any prime, step by step.",
    "it": "Dimostra che la radice quadrata di 2 è irrazionale, poi generalizza la dimostrazione a ogni primo.",
    "es": "Demuestra que la raíz cuadrada de 2 es irracional y generaliza la demostración a cualquier primo.",
    "de": "Beweise, dass die Quadratwurzel aus 2 irrational ist, und verallgemeinere den Beweis auf jede Primzahl.",
    "fr": "Démontre que la racine carrée de 2 est irrationnelle, puis généralise la preuve à tout nombre premier.",
}
"""What is asked beside it: worth going out for, and about nobody."""
HARMLESS = {
    "en": "The weather is fine today.",
    "it": "Oggi il tempo è bello.",
    "es": "Hoy hace buen tiempo.",
    "de": "Heute ist schönes Wetter.",
    "fr": "Il fait beau aujourd'hui.",
}
_GIVEN = ("Ottavia", "Leopold", "Nerea", "Camille", "Gustav", "Beatrice")
_FAMILY = ("Castellani", "Bergmann", "Valverde", "Lefebvre", "Kowalczyk", "Montanari", "Schreiber", "Echevarria")
_STREETS = ("Lindenstraße", "Gartenstraße", "Schillerstraße", "Mozartstraße")
_TOWNS = ("10969 Berlin", "80331 München", "50667 Köln", "04109 Leipzig")
_WINDOW = 8


class Known(IntEnum):
    """What a detector knows it by: the more, the more disguises it can wear and still be itself."""

    WORDS = 0
    FORM = 1
    CHECKSUM = 2


@dataclass(frozen=True, slots=True)
class Plant:
    """One kind of value. Nothing of it is ever printed but its name."""

    name: str
    short: str
    """At most five letters, for a table."""
    means: tuple[tuple[str, str], ...]
    """(kind, category) of what a detector should say."""
    language: str
    label: str
    """What a form calls it: `iban`, `card_number`."""
    value: str = field(repr=False)
    sentence: str = field(repr=False)
    needles: tuple[str, ...] = field(repr=False)
    """Any of these in what left means that it left."""
    known: Known = Known.WORDS
    alone: bool = True
    """It can be known without a word beside it."""

    @property
    def labelled(self) -> str:
        return f"{self.label.replace('_', ' ')}: {self.value}"

    @property
    def bare(self) -> str:
        """As little as it takes to know it."""
        return self.value if self.alone else self.labelled


def compact(text: str) -> str:
    """Letters and digits alone, in one case: spaces, dashes and look-alike forms hide nothing."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).casefold()


def plants(chance: Random) -> list[Plant]:
    """A fresh set."""
    return [*_with_checksums(chance), *_with_forms(chance), *_in_words(chance)]


def _with_checksums(chance: Random) -> Iterator[Plant]:
    def plant(name: str, short: str, kind: str, category: str, language: str, label: str, value: str, said: str,
              alone: bool = True) -> Plant:  # fmt: skip
        return Plant(name, short, ((kind, category),), language, label, value, said.format(value), _windows(value),
                     Known.CHECKSUM, alone)  # fmt: skip

    yield plant("IBAN", "iban", "iban", "financial", "en", "iban", numbers.iban(chance),
                "Please pay it to my account, IBAN {}.")  # fmt: skip
    yield plant("payment card", "card", "payment_card", "financial", "en", "card_number", numbers.card(chance),
                "My credit card is {}.")  # fmt: skip
    yield plant("Italian codice fiscale", "cf", "it_fiscal_code", "identifier", "it", "codice_fiscale",
                numbers.italian_fiscal_code(chance), "Il mio codice fiscale è {}.")  # fmt: skip
    yield plant("Spanish DNI", "dni", "es_dni", "identifier", "es", "dni", numbers.spanish_dni(chance),
                "Mi DNI es {}.", alone=False)  # fmt: skip
    yield plant("German Steuer-ID", "stid", "de_tax_id", "identifier", "de", "steuer_id",
                numbers.german_tax_id(chance), "Meine Steuer-ID ist {}.", alone=False)  # fmt: skip
    yield plant("French NIR", "nir", "fr_social_security", "identifier", "fr", "numero_securite_sociale",
                numbers.french_social_security(chance), "Mon numéro de sécurité sociale est {}.")  # fmt: skip
    yield plant("US social security number", "ssn", "us_ssn", "identifier", "en", "ssn",
                numbers.american_social_security(chance), "My social security number is {}.", alone=False)  # fmt: skip
    yield plant("phone number", "phone", "phone", "contact", "it", "telefono", numbers.italian_mobile(chance),
                "Il mio numero di cellulare è {}.")  # fmt: skip


def _with_forms(chance: Random) -> Iterator[Plant]:
    mail = f"{chance.choice(_GIVEN)}.{chance.choice(_FAMILY)}{digits(chance, 2)}@kontor{digits(chance, 3)}.eu".lower()
    key, secret, other = numbers.key(chance), numbers.password(chance), numbers.password(chance)
    url = f"postgres://app:{other}@db7.intern:5432/crm"
    yield Plant("e-mail address", "email", (("email", "contact"),), "en", "email", mail, f"You reach me at {mail}.",
                _windows(mail), Known.FORM)  # fmt: skip
    yield Plant("API key", "key", (("github_pat", "secret"),), "en", "token", key,
                f"Our deploy script uses GITHUB_TOKEN={key} every night.", _windows(key), Known.FORM)  # fmt: skip
    yield Plant("password", "pass", (("password", "secret"),), "en", "password", secret,
                f"The password is {secret} by the way.", _windows(secret), Known.FORM, alone=False)  # fmt: skip
    yield Plant("database URL", "dburl", (("credentialed_url", "credentialed_url"),), "en", "database_url", url,
                f"It connects to {url} at night.", _windows(other), Known.FORM)  # fmt: skip


def _in_words(chance: Random) -> Iterator[Plant]:
    family, patient = chance.sample(_FAMILY, 2)
    name, ill = (
        f"{chance.choice(_GIVEN)} {family}",
        f"{chance.choice(_GIVEN)} {patient}, diagnosed with multiple sclerosis",
    )
    street = f"{chance.choice(_STREETS)} {chance.randint(11, 89)}"
    home = f"{street}, {chance.choice(_TOWNS)}"
    yield Plant("person's name", "name", (("person", "person"),), "en", "customer_name", name,
                f"I spoke with our customer Mr {name} yesterday.", (compact(family),))  # fmt: skip
    means = (("health_fact", "health"), ("person", "person"))
    yield Plant("name with a diagnosis", "diag", means, "en", "patient", ill,
                f"My patient {ill} in March.", (compact(patient),))  # fmt: skip
    yield Plant("postal address", "addr", (("postal_address", "person"),), "de", "anschrift", home,
                f"Ich wohne in der {home}.", (compact(street),))  # fmt: skip


def _windows(value: str) -> tuple[str, ...]:
    """Half a number is a leak too."""
    text = compact(value)
    return tuple(text[at : at + _WINDOW] for at in range(max(1, len(text) - _WINDOW + 1)))


def control(language: str) -> Plant:
    """Nothing private in its place: whether harmless requests get out from there."""
    text = HARMLESS[language]
    return Plant("nothing private", "-", (), language, "remark", text, text, (compact(text),))
