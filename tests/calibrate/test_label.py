"""Who was right, by gold, by agreement, by a judge; and what a vendor's terms forbid."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.calibrate.journal import Answer
from gateway.calibrate.label import Labels, label, mark_of, may_label, refusal
from gateway.calibrate.probes import Probe
from tests.support.remote import make_spec

pytestmark = pytest.mark.anyio
MakeProbe = Callable[..., Probe]

LONG = "It rises in the east because the earth turns, and sets in the west."


class Judge:
    """Marks by a table, and remembers what it saw."""

    def __init__(self, marks: dict[str, int | None]) -> None:
        self.marks = marks
        self.seen: list[str] = []

    async def __call__(self, probe: Probe, answer: str) -> int | None:
        self.seen.append(answer)
        return self.marks[answer]


async def labelled(
    probe: Probe, mine: str, theirs: Answer | str, *, agreement: bool = True, judge: Judge | None = None
) -> Labels:
    remote = theirs if isinstance(theirs, Answer) else Answer(theirs)
    return await label([probe], {probe.id: Answer(mine)}, {probe.id: remote}, agreement=agreement, judge=judge)


def told(labels: Labels) -> tuple[bool, bool, str]:
    (row,) = labels.rows
    return row.local, row.remote, row.by


async def test_gold_comes_first_whatever_the_terms_say(probe: MakeProbe) -> None:
    assert told(await labelled(probe(), "5", "2 + 2 = 4", agreement=False)) == (False, True, "gold")


@pytest.mark.parametrize(
    ("mine", "theirs", "wanted"),
    [
        pytest.param("Paris.", "paris", (True, True, "agreement"), id="they agree"),
        pytest.param("Lyon", "Paris", (False, True, "agreement"), id="two short answers differ"),
    ],
)
async def test_without_gold_agreement_counts(
    probe: MakeProbe, mine: str, theirs: str, wanted: tuple[bool, bool, str]
) -> None:
    assert told(await labelled(probe(check=None, gold=None), mine, theirs)) == wanted


async def test_two_long_answers_that_differ_say_nothing(probe: MakeProbe) -> None:
    labels = await labelled(probe(check=None, gold=None), LONG, f"{LONG} Always.")
    assert (labels.rows, dict(labels.left_out)) == ([], {"no label": 1})


async def test_a_judge_sees_one_answer_at_a_time(probe: MakeProbe) -> None:
    judge = Judge({"Lyon": 2, "Paris": 5})
    assert told(await labelled(probe(check=None, gold=None), "Lyon", "Paris", judge=judge)) == (False, True, "judge")
    assert judge.seen == ["Lyon", "Paris"]


async def test_a_judge_that_may_not_see_it_or_gives_no_mark_labels_nothing(probe: MakeProbe) -> None:
    labels = await labelled(probe(check=None, gold=None), "Lyon", "Paris", judge=Judge({"Lyon": None, "Paris": 5}))
    assert dict(labels.left_out) == {"no label": 1}


async def test_terms_that_forbid_it_leave_a_probe_without_gold_without_a_label(probe: MakeProbe) -> None:
    labels = await labelled(probe(check=None, gold=None), "Paris", "Paris", agreement=False)
    assert (labels.rows, dict(labels.left_out)) == ([], {"terms": 1})


async def test_what_was_kept_on_this_host_has_no_label(probe: MakeProbe) -> None:
    assert dict((await labelled(probe(), "4", Answer("", kept="policy"))).left_out) == {"policy": 1}


async def test_a_probe_without_both_answers_has_no_label(probe: MakeProbe) -> None:
    labels = await label([probe()], {}, {}, agreement=True)
    assert dict(labels.left_out) == {"no answer": 1}


@pytest.mark.parametrize(
    ("training", "wanted"),
    [
        ("allowed", True), ("Allowed, by contract of 2026", True), ("allowed: yes", True),
        ("", False), ("forbidden", False), ("no", False), ("not allowed", False), ("disallowed", False),
    ],
)  # fmt: skip
def test_terms_permit_labels_only_where_they_are_stated_to(training: str, wanted: bool) -> None:
    assert may_label(make_spec(training=training)) is wanted


def test_a_refusal_names_the_terms_and_the_way_out() -> None:
    said = refusal(make_spec(training="forbidden"), "it cannot judge answers")
    assert "'large'" in said
    assert "`training: forbidden`" in said
    assert "`training: allowed`" in said


@pytest.mark.parametrize(("text", "mark"), [("5", 5), ("4/5", 4), ("Mark: 2.", 2), ("10", None), ("good", None)])
def test_a_mark_is_the_first_number_from_one_to_five(text: str, mark: int | None) -> None:
    assert mark_of(text) == mark
