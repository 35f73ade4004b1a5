"""Texts to time detectors with: made here, so that anybody can repeat it, and none of them twice."""

from __future__ import annotations

import random

PROSE = (
    "Please summarise the following notes for the meeting on Thursday, and list the open questions at the end.",
    "The quarterly figures rose by 3.4 % to 12,480 units, while returns fell for the 4th time since 2019.",
    "Per favore riassumi il testo in cinque punti e spiega la differenza tra le due versioni del contratto.",
    "Explique por qué la función devuelve None cuando la lista está vacía; use Python 3.12.1 en el ejemplo.",
    "Wie wirkt sich die Änderung auf die Laufzeit aus, wenn 250 Anfragen pro Sekunde eintreffen?",
    "def total(rows): return sum(row.price * row.count for row in rows if row.valid and not row.deleted)",
    "Le délai de livraison est de 14 jours ouvrables à compter de la réception de la commande n° 2024-118.",
    "She asked whether the museum in Vienna opens on Mondays, and how far it is from the station on foot.",
    "Il treno per Bologna parte alle 7:42; la riunione con il gruppo di progetto comincia un'ora dopo.",
)
PRIVATE = (
    "IBAN DE47 3015 9876 5432 1098 70",
    "carta 5515 4321 4558 3581",
    "chiamami al +39 346 507 5291",
    "CF ZPCLRB98P07H501C",
    "mail anna.verdi@posta-aziendale.it",
    "ghp_FBNOfQ5xj7t2ydf0K5uY8iH1wOLaQan8ePsq",
    "password: Ve1tro-9!x",
    "la paziente Lucia Ferrante, nata il 3 marzo 1971",
    "2024-05-17 10:33:00",
)
SIZES = (200, 2_000, 20_000)


def made(size: int, *, private: bool, seed: int) -> str:
    """Prose of five languages and code; with `private`, a value after every third sentence or so."""
    dice = random.Random(seed * 2 + private)
    parts: list[str] = []
    long = 0
    while long <= size:
        parts.append(f"{dice.choice(PROSE)} ({dice.randrange(10_000)})")
        if private and dice.random() < 0.35:
            parts.append(dice.choice(PRIVATE))
        long = sum(map(len, parts)) + len(parts)
    return " ".join(parts)[:size]
