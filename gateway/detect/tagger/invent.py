"""Sentences for training, made from the templates: names and addresses are drawn from lists and belong to nobody."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib import resources
from random import Random

from gateway.detect.tagger.lists import LANGUAGES, Lists

IGNORED = "?"
"""The kind of a span that teaches nothing, neither way."""


@dataclass(frozen=True, slots=True)
class Example:
    language: str
    text: str
    spans: tuple[tuple[int, int, str], ...]
    group: str = ""
    """What must not be divided between training and judging."""


_SLOT = re.compile(r"\{(N!|S!|A!|A~|C!|Y4|ST|TEL|ID|[NFLSACKMDTEPOGRZWXxYUQnfa#€])\}")
_CHOICE = re.compile(r"\[([^\[\]{}\"]*(?:\{[A-Za-z#€]{1,3}\}[^\[\]{}\"]*)*\|[^\[\]]*)\]")
_PEOPLE = {
    "N": "person",
    "F": "person",
    "L": "person",
    "S": "person",
    "A": "postal_address",
    "n": "person",
    "f": "person",
    "x": IGNORED,
}
_PARTICLES = {
    "it": ("Di", "De", "Del", "Della", "Lo", "La", "D'", "Dal"),
    "es": ("de la", "de", "del", "de los"),
    "de": ("von", "von der", "zu", "van"),
    "fr": ("de", "du", "de la", "Le", "d'"),
    "en": ("O'", "Mc", "Van", "de", "St."),
}


class Inventor:
    def __init__(self, lists: Lists, random: Random, prose: Iterable[tuple[str, str]]) -> None:
        """`prose` is (language, sentence) that names nobody."""
        sentences = tuple(prose)
        self._lists, self._random = lists, random
        self._language = "it"
        folder = resources.files(__package__ or "gateway.detect.tagger").joinpath("templates")
        self._templates = {
            name: [
                line.replace("¶", "\n")
                for line in folder.joinpath(f"{name}.txt").read_text("utf-8").splitlines()
                if line and not line.startswith("# ")
            ]
            for name in (*LANGUAGES, "any")
        }
        self._prose = {name: [text for lang, text in sentences if lang == name] for name in LANGUAGES}
        self._makers: dict[str, Callable[[], str]] = self._slots()

    def example(self) -> Example:
        """One to four templates and sentences in one language, with the look of a message, a letter or a file."""
        pick = self._random
        self._language = pick.choices(LANGUAGES, (25, 23, 19, 15, 18))[0]
        pieces = [self._piece() for _ in range(pick.choices((1, 2, 3, 4), (45, 30, 15, 10))[0])]
        glue = pick.choices((" ", "\n", "\n\n"), (55, 30, 15))[0]
        text, spans = "", []
        for piece in pieces:
            text += glue if text else ""
            spans += [(start + len(text), end + len(text), kind) for start, end, kind in piece.spans]
            text += piece.text
        return self._roughened(Example(self._language, text, tuple(spans)))

    def _piece(self) -> Example:
        pick = self._random
        if pick.random() < 0.2 and self._prose[self._language]:
            return Example(self._language, pick.choice(self._prose[self._language]), ())
        template = pick.choice(self._templates["any" if pick.random() < 0.14 else self._language])
        while found := _CHOICE.search(template):
            template = template[: found.start()] + pick.choice(found[1].split("|")) + template[found.end() :]
        text, last = "", 0
        spans: list[tuple[int, int, str]] = []
        for slot in _SLOT.finditer(template):
            text += template[last : slot.start()]
            value, last = self._filled(slot[1]), slot.end()
            kind = _PEOPLE.get(slot[1].rstrip("!~") if slot[1] != "a" else "A")
            if kind:
                # A first name and a surname side by side are one name.
                joined = spans and spans[-1][2] == kind and text.endswith(" ") and spans[-1][1] == len(text) - 1
                start = spans.pop()[0] if joined else len(text)
                spans.append((start, len(text) + len(value), kind))
            text += value
        return Example(self._language, text + template[last:], tuple(spans))

    def _roughened(self, example: Example) -> Example:
        """Capitals, no capitals and no accents, as people type."""
        luck = self._random.random()
        change: Callable[[str], str]
        if luck < 0.05:
            change = str.upper
        elif luck < 0.11:
            change = str.lower
        elif luck < 0.17:
            change = _unaccented
        else:
            return example
        text = change(example.text)
        if len(text) != len(example.text):
            return example
        if change is str.lower:  # a lone surname or first name in lower case is no more than a word
            kept = tuple(
                (start, end, kind if kind != "person" or " " in example.text[start:end] else IGNORED)
                for start, end, kind in example.spans
            )
            return replace(example, text=text, spans=kept)
        return replace(example, text=text)

    def _filled(self, slot: str) -> str:
        return self._makers[slot]()

    def _slots(self) -> dict[str, Callable[[], str]]:
        words, pick = self._lists.words, self._random
        return {
            "N": self.name,
            "N!": lambda: self.name().upper(),
            "n": lambda: self._full().lower(),
            "F": self.first,
            "f": lambda: self.first().lower(),
            "L": self.last,
            "S": self.surname_first,
            "S!": lambda: self.surname_first().upper(),
            "A": self.address,
            "A~": self.address,
            "A!": lambda: self.address().upper(),
            "a": lambda: self.address().lower(),
            "C": self._city,
            "C!": lambda: self._city().upper(),
            "Q": self._city,
            "K": lambda: pick.choice(self._lists.countries[self._language]),
            "M": lambda: pick.choice(self._lists.months[self._language]),
            "D": self._date,
            "T": lambda: f"{pick.randint(7, 22)}{pick.choice(':.h')}{pick.choice(('00', '15', '30', '45'))}",
            "E": self._email,
            "TEL": self._phone,
            "ID": lambda: "".join(pick.choice("ABCDEFGHLMNPRSTVZ0123456789") for _ in range(pick.randint(5, 16))),
            "#": lambda: str(pick.choice((pick.randint(2, 99), pick.randint(100, 2500)))),
            "Y4": lambda: str(pick.randint(1999, 2027)),
            "€": lambda: pick.choice(("{} €", "€ {}", "{} EUR", "${}", "{},00 euro")).format(pick.randint(12, 90_000)),
            "P": lambda: pick.choice(words["product"]),
            "O": self._company,
            "G": lambda: pick.choice(words["language"]),
            "R": lambda: pick.choice(words["region"]),
            "Z": lambda: pick.choice(words["field"]),
            "W": lambda: pick.choice(words["work"]),
            "x": lambda: pick.choice(self._lists.famous)[0],
            "X": lambda: pick.choice(self._lists.famous)[0],
            "Y": lambda: pick.choice((self._famous_last, self._famous_last, self._native_last))(),
            "U": lambda: pick.choice(words["title_" + self._language]),
            "ST": self._street,
        }

    def _names_of(self) -> str:
        """Whose names: most are of the country, some of another, some from further away."""
        return self._random.choices((self._language, self._random.choice(LANGUAGES), "abroad"), (76, 14, 10))[0]

    def first(self) -> str:
        name = self._random.choice(self._lists.names[self._names_of()].first)
        if self._random.random() < 0.06:
            joint = self._random.choice((" ", "-"))
            name += joint + self._random.choice(self._lists.names[self._language].first)
        return name

    def last(self) -> str:
        name = self._native_last() if self._random.random() < 0.76 else self._coined()
        if self._random.random() < 0.06:
            particle = self._random.choice(_PARTICLES[self._language])
            name = particle + ("" if particle[-1] in "'c" else " ") + name
        luck = self._random.random()
        if luck < (0.4 if self._language == "es" else 0.03):
            name += " " + self._native_last()
        elif luck > 0.97:
            name += "-" + self._native_last()
        return name

    def _native_last(self) -> str:
        return self._random.choice(self._lists.names[self._names_of()].last)

    def _coined(self) -> str:
        """A surname that no list has: the beginning of one, the end of another."""
        pool = self._lists.names[self._language].last
        left, right = self._random.choice(pool), self._random.choice(pool)
        cut = max(2, len(left) // 2)
        coined = left[:cut] + right[max(1, len(right) // 2) :].lower()
        return coined if coined.isalpha() and len(coined) > 3 else left

    def _full(self) -> str:
        return f"{self.first()} {self.last()}"

    def name(self) -> str:
        luck = self._random.random()
        first, last = self.first(), self.last()
        initial = self._random.choice("ABCDEFGLMNPRST") + "."
        if luck < 0.72:
            return f"{first} {last}"
        if luck < 0.79:
            return f"{first[0]}. {last}"
        if luck < 0.85:
            return f"{first} {initial} {last}"
        if luck < 0.91:
            return f"{first} {last.upper()}"
        if luck < 0.95:
            return f"{first} {self.first()} {last}"
        if luck < 0.97:
            return f"{last} {first}"
        return f"{first[0]}.{initial} {last}"

    def surname_first(self) -> str:
        first, last = self.first(), self.last()
        luck = self._random.random()
        if luck < 0.35:
            return f"{last}, {first}"
        if luck < 0.55:
            return f"{last} {first}"
        if luck < 0.75:
            return f"{last.upper()} {first}"
        return f"{last}, {first[0]}." if luck < 0.85 else f"{last.upper()}, {first}"

    def _famous_last(self) -> str:
        return self._random.choice(self._lists.famous)[0].split()[-1]

    def _city(self) -> str:
        return self._random.choice(self._lists.cities[self._language])

    def _company(self) -> str:
        pick = self._random
        if pick.random() < 0.55:
            return pick.choice(self._lists.words["brand"])
        last = pick.choice(self._lists.names[self._language].last)
        return pick.choice(self._forms["company"]).format(pick.choice((last, last, self._city())))

    def _email(self) -> str:
        return (
            _unaccented(f"{self.first()}.{self.last()}@{self._random.choice(('example.com', 'mail.it', 'post.de'))}")
            .lower()
            .replace(" ", "")
        )

    def _phone(self) -> str:
        pick = self._random
        return pick.choice(("+39 {} {}", "+34 {} {}", "0{} {}", "({}) {}", "{}/{}")).format(
            pick.randint(100, 999), pick.randint(100_000, 9_999_999)
        )

    def _date(self) -> str:
        pick = self._random
        day, month, year = pick.randint(1, 28), pick.randint(1, 12), pick.randint(1940, 2027)
        name = self._lists.months[self._language][month - 1]
        return pick.choice(
            (
                f"{day}/{month:02}/{year}",
                f"{day:02}.{month:02}.{year}",
                f"{year}-{month:02}-{day:02}",
                f"{day} {name} {year}",
            )
        )

    @property
    def _forms(self) -> dict[str, list[str]]:
        return self._lists.forms[self._language]

    def _street(self) -> str:
        """Without a number, so nobody's address."""
        street = self._random.choice(self._lists.words["street_" + self._language])
        if self._random.random() < 0.2:  # named after somebody
            street = self._native_last() if self._language == "de" else f"{self.first()} {self._native_last()}"
        return self._random.choice(self._forms["street"]).format(street)

    def address(self) -> str:
        pick = self._random
        number = str(
            pick.choice((pick.randint(1, 60), pick.randint(1, 60), pick.randint(60, 400), pick.randint(400, 9999)))
        )
        if pick.random() < 0.15:
            number += pick.choice(("A", "/B", "bis", "b", "/3", " a"))
        house = pick.choice(self._forms["house"]).format(street=self._street(), number=number)
        letters = "ABDEFGHJLNPRSTUWXYZ"
        district = pick.choice(letters) + pick.choice(("", pick.choice(letters))) + str(pick.randint(1, 29))
        post = f"{district} {pick.randint(1, 9)}{pick.choice(letters)}{pick.choice(letters)}"
        code = str(pick.randint(10_000, 98_999))
        return house + pick.choice(self._forms["tail"]).format(code=code, post=post, city=self._city())


def _unaccented(text: str) -> str:
    return text.translate(
        str.maketrans("àáâäãèéêëìíîïòóôöõùúûüñçÀÁÂÄÈÉÊËÌÍÎÒÓÔÖÙÚÛÜÑÇ", "aaaaaeeeeiiiiooooouuuuncAAAAEEEEIIIOOOOUUUUNC")
    )
