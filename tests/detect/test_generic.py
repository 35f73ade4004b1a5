"""The positive test says yes to general questions of five languages, and no in every doubt."""

from __future__ import annotations

import pytest

from gateway.detect.generic import is_generic

YES = [
    "What is the capital of France?",
    "Why is the sky blue?",
    "How do I reverse a list in Python?",
    "Prove that there are infinitely many primes of the form 4k+3.",
    "What is the difference between TCP and UDP?",
    "Who invented the telescope?",
    "Qual è la capitale della Francia?",
    "Come funziona la fotosintesi?",
    "¿Por qué el cielo es azul?",
    "¿Cuántos planetas hay en el sistema solar?",
    "Warum ist der Himmel blau?",
    "Was ist der Unterschied zwischen einem Atom und einem Molekül?",
    "Pourquoi le ciel est-il bleu ?",
    "Comment fonctionne une éclipse de lune ?",
]

NO = {
    "nothing": "",
    "a name": "Why is Giulia sad?",
    "a name behind a full stop": "Why is the sky blue? Giulia asks.",
    "a German noun that may be a name": "Wie alt ist Müller?",
    "oneself": "Why is the sky blue when I look up?",
    "oneself, asking how": "How do I tell it?",
    "one's own things": "Why is my Python loop slow?",
    "one's own things in Italian": "Come si scrive il mio programma?",
    "one's own things in German": "Warum ist meine Liste leer?",
    "somebody": "Why is she late?",
    "what was brought along": "Explain this in simple terms.",
    "a customer": "What is the best answer for a customer?",
    "a patient": "¿Qué es lo mejor para el paciente?",
    "money": "Wie hoch ist das Gehalt in der Schweiz?",
    "a house": "What is the secret of the company?",
    "a firm in small letters": "what is northwind trading group?",
    "a run of digits": "What is 48151623?",
    "digits in groups": "What is 12 34 56?",
    "an address on the net": "What is example.com/login?",
    "an e-mail address": "Who is info@example.com?",
    "code with names in it": "Explain `class AcmeLedger: pass`",
    "another script": "Почему небо синее?",
    "no question": "Dear all, please find the minutes below.",
    "two words": "Why is?",
    "long": "What is a tree? " * 20,
}


@pytest.mark.parametrize("text", YES)
def test_a_general_question_is_one(text: str) -> None:
    assert is_generic([text])
    assert is_generic(["", f"  {text}\n"])


@pytest.mark.parametrize("text", NO.values(), ids=NO.keys())
def test_whatever_may_be_about_somebody_is_none(text: str) -> None:
    assert not is_generic([text])


def test_more_than_one_text_is_material_of_ones_own() -> None:
    assert not is_generic(["What is the capital of France?", "Answer briefly."])
    assert not is_generic([])
