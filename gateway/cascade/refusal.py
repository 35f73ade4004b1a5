"""Whether an answer begins by giving up: an apology, "as an AI", "I don't know", in five languages."""

from __future__ import annotations

import re

BEGINNING = 200
"""Characters of an answer in which it gives up, if it does."""

_PHRASES = {
    "en": (
        r"(?:i'm|i am) (?:very |so |truly )?sorry,? (?:but|i|as)",
        r"sorry,? (?:but )?i (?:can|do|am)",
        r"i apologi[sz]e,? (?:but|for (?:any|the) (?:confusion|inconvenience|misunderstanding))",
        r"i (?:can't|cannot|can not|won't be able to) (?:help|assist|answer|provide|do that|fulfil|comply|access)",
        r"i(?:'m| am) (?:unable|not able|not capable)",
        r"i (?:don't|do not) (?:know|have (?:access|the ability|enough|any|personal|real-time))",
        r"(?:as|i'm|i am) (?:just |only )?an? (?:ai|artificial intelligence|(?:large )?language model)",
    ),
    "it": (
        r"mi (?:dispiace|spiace|scuso),? (?:ma|non|però)",
        r"(?:purtroppo )?non (?:posso|riesco a) (?:aiutar|risponder|fornir|dar|far|acceder)",
        r"non sono in grado",
        r"non (?:lo so|so rispondere|ho accesso|ho (?:abbastanza |sufficienti )?informazioni)",
        r"(?:come|sono(?: solo)?) (?:un |un'|una )?(?:modello (?:linguistic|di ling)|intelligenza artificiale|ia\b)",
    ),
    "es": (
        r"lo (?:siento|lamento),? (?:pero|no)",
        r"(?:lamentablemente )?no puedo (?:ayudar|responder|proporcionar|dar|hacer|acceder)",
        r"no (?:soy capaz|estoy en condiciones)",
        r"no (?:lo sé|sé (?:la respuesta|cómo)|tengo (?:acceso|suficiente|información))",
        r"como (?:un |una )?(?:modelo de lenguaje|inteligencia artificial|ia\b)",
    ),
    "de": (
        r"(?:es )?tut mir (?:sehr )?leid,? (?:aber|ich|doch)",
        r"(?:ich kann|leider kann ich|kann ich) (?:\w+ ){0,4}nicht (?:helfen|beantworten|weiterhelfen|geben|liefern)",
        r"(?:ich )?(?:bin|leider) (?:\w+ ){0,2}nicht in der lage",
        r"ich (?:weiß (?:es |das )?(?:leider )?nicht|habe (?:leider )?kein(?:en|e) (?:zugriff|zugang|informationen))",
        r"als (?:eine? )?(?:ki\b|künstliche intelligenz|sprachmodell)",
    ),
    "fr": (
        r"(?:je suis )?(?:vraiment )?désolée?,? (?:mais|je)",
        r"je ne (?:peux|puis) (?:malheureusement )?pas (?:vous |t')?(?:aider|répondre|fournir|donner|faire|accéder)",
        r"je ne suis pas (?:en mesure|capable)",
        r"je (?:ne sais pas|n'ai pas (?:accès|assez|suffisamment|d'informations?))",
        r"en tant qu(?:e|') ?(?:un |une )?(?:ia\b|intelligence artificielle|modèle de langage|assistante? virtuel)",
    ),
}
"""A bare word ("Sorry") is an answer as often as a refusal, so what follows it is asked for too."""


class Refusals:
    """The phrases of all languages as one pattern: a model need not answer in the language it was asked in."""

    def __init__(self) -> None:
        every = (phrase for phrases in _PHRASES.values() for phrase in phrases)
        self._pattern = re.compile(rf"(?:^|(?<=[\s,.!:;]))(?:{'|'.join(every)})")

    def refuses(self, text: str) -> bool:
        said = " ".join(text[:BEGINNING].lower().replace("’", "'").split())
        return self._pattern.search(said) is not None
