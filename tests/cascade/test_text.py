"""What a draft's text gives away: that it gives up, or that it goes round in circles."""

from __future__ import annotations

import pytest

from gateway.cascade.loops import loops
from gateway.cascade.refusal import Refusals


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, but as a small model I have no idea.",
        "I cannot assist with this request.",
        "As an AI language model, I don't have feelings.",
        "I don't know the answer to this question.",
        "I apologize for the confusion, but the text is too long.",
        "Mi dispiace, ma non posso rispondere.",
        "Purtroppo non riesco a fornire queste informazioni.",
        "Come modello linguistico non ho opinioni.",
        "Non lo so.",
        "Lo siento, pero no tengo esa información.",
        "No puedo ayudar con eso.",
        "Como modelo de lenguaje, no tengo opiniones.",
        "Es tut mir leid, aber das kann ich nicht.",
        "Ich kann Ihnen dabei leider nicht helfen.",
        "Als KI habe ich keine Meinung.",
        "Ich weiß es leider nicht.",
        "Je suis désolé, mais je n'ai pas cette information.",
        "Je ne peux pas vous aider.",
        "En tant qu’IA, je n’ai pas d’avis.",
    ],
)
def test_an_answer_that_gives_up_is_recognised_in_five_languages(text: str) -> None:
    assert Refusals().refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "The capital of Italy is Rome.",
        "Sorry",
        "I can't wait to see you on Friday!",
        "Dear Anna, I am sorry that the parcel came late.",
        "Mi dispiace tanto per il ritardo.",
        "Lo siento mucho por el retraso.",
        "Es tut mir leid für die Verspätung.",
        "Désolé pour le retard.",
        "No, the door is not open.",
        "Non è vero.",
        "Ich kann das Fenster öffnen.",
        "Je ne mange pas de viande.",
        "AI stands for artificial intelligence.",
    ],
)
def test_an_answer_with_such_words_in_it_is_not_taken_for_a_refusal(text: str) -> None:
    assert not Refusals().refuses(text)


@pytest.mark.parametrize(
    "text",
    [
        "yes yes yes yes",
        "The answer is the answer is the answer is",
        "and then he said and then he said and then he said",
        "0000000000000000000000000000000000",
        "hahahahahahahahahahaha",
        "Well.\n\n\n\n\n\n\n\n\n\n",
    ],
)
def test_a_text_that_goes_round_in_circles_is_recognised(text: str) -> None:
    assert loops(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "word",
        "bye bye",
        "no, no, no",
        "1. apples\n2. pears\n3. plums\n4. figs",
        "| a | b |\n|--------|--------|\n| 1 | 2 |",
        "================================",
        "She said yes and then she said no and then she left",
        "1000000",
    ],
)
def test_a_list_a_table_and_an_emphasis_are_no_circles(text: str) -> None:
    assert not loops(text)
