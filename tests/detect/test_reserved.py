"""What manuals print counts as an example beside a word that calls it one, and never lets anything else pass."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.core.types import Assessment, Finding, Principal, Request, Sensitivity
from gateway.detect import Scanner, hits
from gateway.detect.hits import Hit
from gateway.policy.cases import CATALOGUE
from gateway.policy.load import load_policy

CARD, IBAN = "4242 4242 4242 4242", "GB29 NWBK 6016 1331 9268 19"
OWN_CARD, OWN_IBAN = "4539 5776 3621 0485", "DE71 2004 1133 0683 2199 07"


@pytest.fixture(scope="module")
def found(scanner: Scanner) -> Callable[[str], dict[str, Finding]]:
    return lambda text: {
        text[finding.place.start : finding.place.end]: finding for finding in scanner.find_in_text(text).findings
    }


CALLED = [
    f"In our Stripe sandbox we use {CARD}",
    f"Which test card fails, {CARD}?",
    f"def test_card():\n    assert luhn('{CARD}')",
    f"Con la carta di prova {CARD} il pagamento passa.",
    f"Nell'ambiente di collaudo metto {CARD}",
    f"En el entorno de pruebas pongo {CARD}",
    f"{CARD} es la tarjeta de prueba de Stripe",
    f"Mit der Testkarte {CARD} geht es immer durch",
    f"{CARD} ist eine Beispielnummer",
    f"En recette, la carte de test {CARD} passe",
    f"{CARD} est un numéro fictif",
    f'{{"example": "{CARD}"}}',
]
NOT_CALLED = [
    f"My card is {CARD}",
    f"This is a test: my card is {CARD}",
    f"My cards, for example {CARD}",
    f"Le mie carte, per esempio {CARD}",
    f"Mis tarjetas, por ejemplo {CARD}",
    f"Meine Karten, zum Beispiel {CARD}",
    f"Mes cartes, par exemple {CARD}",
    f"This is not a test card: {CARD}",
    f"Das ist keine Testkarte: {CARD}",
    f"Non è una carta di prova: {CARD}",
    f"No es una tarjeta de prueba: {CARD}",
    f"Ce n'est pas une carte de test : {CARD}",
    f"A test card is what I asked for.{' I waited and waited.' * 15} Then they charged {CARD}",
]


@pytest.mark.parametrize("text", CALLED)
def test_a_printed_value_is_an_example_where_a_word_says_so(
    found: Callable[[str], dict[str, Finding]], text: str
) -> None:
    assert found(text)[CARD].reserved


@pytest.mark.parametrize("text", NOT_CALLED)
def test_without_such_a_word_it_counts_like_a_real_one(found: Callable[[str], dict[str, Finding]], text: str) -> None:
    assert not found(text)[CARD].reserved


@pytest.mark.parametrize("written", [CARD, CARD.replace("4", "４"), "4242\u200b4242\u200b4242\u200b4242"])
def test_what_another_message_says_calls_nothing_an_example(scanner: Scanner, written: str) -> None:
    said = ["You help in our sandbox with test cards.", f"{written} is the card"]
    body = {"messages": [{"role": "user", "content": each} for each in said]}
    assert [finding.reserved for finding in scanner.scan_now(body).findings] == [False]


@pytest.mark.parametrize("value", [OWN_CARD, OWN_IBAN])
@pytest.mark.parametrize(
    "text",
    [
        "Our test card in the sandbox is {}",
        "A fake example of a sample: {}, dummy data",
        f"Test cards: {CARD}, {{}}",
        f"Test cards: {{}} {CARD}",
        f"The example {IBAN}/{{}}",
        f"The example {{}}/{IBAN}",
    ],
)
def test_no_word_makes_an_example_of_a_value_that_no_manual_prints(
    found: Callable[[str], dict[str, Finding]], text: str, value: str
) -> None:
    assert not found(text.format(value))[value].reserved


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param(f"The test card {CARD} fails", False, id="test card"),
        pytest.param(f"My card is {CARD}", True, id="test card that nothing calls so"),
        pytest.param(f"The test card {CARD} works and {OWN_CARD} does not", True, id="a card beside a test card"),
        pytest.param(f"Our test card {CARD}, billed to nora.bellini@kontor-adria.eu", True, id="an address beside it"),
        pytest.param(f"Test card {CARD}. I have asthma.", True, id="an illness beside it"),
    ],
)
def test_the_default_policy_lets_the_example_pass_and_nothing_beside_it(
    scanner: Scanner, text: str, kept: bool
) -> None:
    policy = load_policy(Path(__file__).parents[2] / "policies" / "default.yaml", CATALOGUE)
    findings = scanner.find_in_text(text).findings
    decision = policy.decide(Request("r", Principal(), "auto", {}), Assessment(findings))
    assert (decision.level >= Sensitivity.CONFIDENTIAL) is kept


@pytest.mark.parametrize(
    ("url", "reserved"),
    [
        ("postgres://user:password@localhost:5432/db", True),
        ("postgres://erp:Vk7-Reale!2@db.kontor-adria.eu:password@localhost/db", False),
        ("https://admin:Vk7-Reale!2@db.kontor-adria.eu/x:password@localhost", False),
        ("https://admin:Vk7-Reale!2@db.kontor-adria.eu#:password@localhost", False),
        ("postgres://admin:password@localhost,db.kontor-adria.eu/db", False),
    ],
)
def test_a_sample_link_holds_one_password_and_one_host(
    found: Callable[[str], dict[str, Finding]], url: str, reserved: bool
) -> None:
    assert found(url)[url].reserved is reserved


def test_an_example_does_not_stand_in_for_a_value_it_overlaps() -> None:
    example, own = (Hit("iban", "financial", 1.0, at, 20 + at, at, reserved=not at) for at in (0, 5))
    assert hits.settle([example, own]) == [own]
