"""People of exercises and stories are nobody; who is named in full, or belongs to the one who asks, is somebody."""

import pytest

from gateway.detect import Scanner

NOBODY = [
    "Question 4. Mrs Patel is 70 and has osteoporosis. She takes 70 mg weekly. How many mg is that in a year?",
    "Aufgabe 3: Herr Schulze, 61, hat Diabetes und spritzt 12 Einheiten. Berechne den Verbrauch im Monat.",
    "Exercice 2 : Mme Martin, 52 ans, souffre d'asthme. Calculez la dose si elle pèse 64 kg.",
    "Ejercicio 5: don Luis, de 45 años, tiene diabetes. ¿Cuánto pesará si pierde 2 kg al mes?",
    "Esercizio 8. Il signor Riva, 58 anni, ha l'asma e usa 2 spruzzi. Quanto dura una bomboletta da 200?",
    "Write a short story about a nurse who finds out that her patient has been faking his cancer.",
    "Inventa un dialogo teatrale: il dottor Balanzone comunica al paziente Pantalone che ha il diabete.",
    "Schreibe eine Kurzgeschichte: Frau Sommer, 80, hat Demenz und sucht ihren Hund.",
]
SOMEBODY = [
    "Question 4. My son has asthma. How many puffs may he take in a day?",
    "Write a short story for my son, who has leukaemia.",
    "Aufgabe 3: Herr Schulze, 61, hat Diabetes. Bitte bis Freitag zurückrufen.",
    "Escribe la historia clínica: el paciente, de 45 años, tiene diabetes.",
    "Mrs Patel is 70 and has osteoporosis. How many mg does she need?",
    "Problem 1: type 2 diabetes. Mr Ross, 61, has HIV as well. How many units of insulin does he need?",
    "Question 1: Mr John Carter, 54, is HIV positive. How many days may we keep him off the rota?",
    "Esercizio 3. La paziente del letto 4, 61 anni, ha l'HIV. Quanto farmaco ha preso?",
    "Aufgabe 12: Patientin Meier, 54, Brustkrebs, anrufen. Wie viel Zeit haben wir?",
    "The pupil Luca Bianchi, 12, has ADHD and forgets his homework. How many warnings before we call his parents?",
    "Write a dialogue between me and Mr Carter, our employee, who has schizophrenia.",
    "Écris une nouvelle lettre pour M. Dupont, 54 ans, qui est séropositif.",
    "Escribe un relato de los hechos: la señora López, 45 años, tiene VIH.",
    "Scrivi la storia del signor Riva, 45 anni, sieropositivo.",
    "Schreibe eine Geschichte über Anna Schmidt, 44, die an Krebs erkrankt ist.",
    "Write a short story about a nurse." + " It rains." * 250 + " Mrs Patel, 70, has osteoporosis.",
]


@pytest.mark.parametrize("text", NOBODY)
def test_nobody_is_ill_in_an_exercise_or_a_story(scanner: Scanner, text: str) -> None:
    assert "health" not in {finding.category for finding in scanner.find_in_text(text).findings}


@pytest.mark.parametrize("text", SOMEBODY)
def test_somebody_is_ill_in_any_other_text(scanner: Scanner, text: str) -> None:
    assert "health" in {finding.category for finding in scanner.find_in_text(text).findings}
