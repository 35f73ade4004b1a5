"""Which language: right where it is said, and nothing where it is not clear."""

from __future__ import annotations

import pytest

from gateway.score.scorer import EnsembleScorer


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Il mio IBAN è IT60X0542811101000000123456, scrivi una lettera di reclamo alla banca", "it"),
        ("Mi sono innamorato di una collega e non so cosa fare", "it"),
        ("Ciao, come stai?", "it"),
        ("Necesito una carta para mi casero porque la calefacción no funciona", "es"),
        ("¿Qué hora es?", "es"),
        ("Ich brauche einen Brief an meinen Vermieter, weil die Heizung nicht funktioniert", "de"),
        ("Wie geht es dir?", "de"),
        ("Mon propriétaire refuse de réparer le chauffage, que dois-je faire ?", "fr"),
        ("Bonjour, comment ça va ?", "fr"),
        ("My landlord will not repair the heating, what can I do?", "en"),
        ("What is the capital of France?", "en"),
        ("Você pode me ajudar a escrever uma carta para o meu chefe?", "pt"),
        ("Kun je me helpen met het schrijven van een brief aan mijn baas?", "nl"),
        ("Możesz mi pomóc napisać list do mojego szefa? Nie wiem jak to zrobić.", "pl"),
        ("请帮我写一封信给我的房东", "zh"),
        ("大家さんに手紙を書いてください", "ja"),
        ("집주인에게 편지를 써 주세요", "ko"),
        ("Напишите письмо моему арендодателю", "ru"),
        ("اكتب رسالة إلى صاحب المنزل", "ar"),
        ("כתוב מכתב לבעל הבית", "he"),
        ("Γράψε ένα γράμμα στον ιδιοκτήτη", "el"),
        ("मेरे मकान मालिक को पत्र लिखें", "hi"),
    ],
)
def test_clear_text_is_named(scorer: EnsembleScorer, text: str, want: str) -> None:
    score = scorer.score_text(text)
    assert score.language == want
    assert score.language_confidence >= 0.5


@pytest.mark.parametrize(
    "text",
    [
        "", "ok", "42", "2 + 2 = 4", "IT60X0542811101000000123456", "4111 1111 1111 1111", "taxi hotel pizza",
        "for (int i = 0; i < n; i++) { if (a[i] == b) return i; }",
        "def f(x):\n    for a in x:\n        if a is not None:\n            return a\n    return [y for y in x if y]",
        "SELECT name, id FROM users WHERE id = 3 AND name IS NOT NULL;",
        "SGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQ=", "https://example.com/a/b?c=d", "Mario Rossi, Berlin", "😀😀😀",
    ],
)  # fmt: skip
def test_what_is_short_ambiguous_code_or_numbers_is_not_named(scorer: EnsembleScorer, text: str) -> None:
    score = scorer.score_text(text)
    assert (score.language, score.language_confidence) == (None, 0.0)


def test_a_quoted_foreign_word_does_not_change_the_language(scorer: EnsembleScorer) -> None:
    assert scorer.score_text("What does the Italian word 'buongiorno' mean and when do I say it?").language == "en"
    assert scorer.score_text("Cosa significa la parola 'the' e quando si usa in una frase?").language == "it"
