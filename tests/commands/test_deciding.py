"""The commands that look at texts and decide: inspect, score, explain."""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import call, run
from tests.support.terminal import on_a_terminal

POLICIES = Path(__file__).parents[2] / "policies"
CARD = "my card is 4111 1111 1111 1111"
HARD = "Prove that the square root of 2 is irrational, then generalise to any prime."


def to_a_person(folder: Path, stdin: str, *arguments: str, command: str = "explain") -> str:
    return on_a_terminal(folder, stdin, command, *arguments, env={"NO_COLOR": "1"})


def lines(*rows: object) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


# ── inspect ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_inspect_writes_one_line_for_each_text_or_chat(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "hello"}, {"role": "user", "content": "IBAN DE89 3704 0044 0532 0130 00"}]
    result = run(
        tmp_path,
        "inspect",
        "--jsonl",
        stdin=lines({"id": "a", "text": f"😀 {CARD}"}, {"id": 2, "messages": chat}, {"id": 3, "text": "hello"}),
    )
    assert (result.code, result.err) == (0, "")
    for row in result.rows:
        assert list(row) == ["id", "sensitivity", "categories", "findings", "ms"]
    card, iban, nothing = result.rows
    assert (card["id"], card["sensitivity"], card["categories"]) == ("a", "restricted", ["financial"])
    assert card["findings"] == [
        {"kind": "payment_card", "category": "financial", "path": "$.text", "start": 13, "end": 32, "confidence": 1.0}
    ]
    assert (iban["sensitivity"], iban["findings"][0]["path"]) == ("confidential", "$.messages[1].content")
    assert (nothing["sensitivity"], nothing["findings"]) == ("internal", [])


def test_inspect_grades_under_the_policy_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "mild.yaml").write_text("name: mild\nlevels:\n  payment_card: internal\n")
    row = lines({"id": 1, "text": CARD})
    assert call(tmp_path, "inspect", "--jsonl", "--policy", "mild.yaml", stdin=row).rows[0]["sensitivity"] == "internal"
    assert call(tmp_path, "inspect", "--jsonl", stdin=row).rows[0]["sensitivity"] == "restricted"


def test_inspect_reads_one_text_without_jsonl_and_tells_what_it_could_not_read(tmp_path: Path) -> None:
    (row,) = call(tmp_path, "inspect", stdin=CARD).rows
    assert (row["sensitivity"], row["unreadable"]) == ("restricted", [])


def test_inspect_treats_what_it_cannot_read_as_unknown(tmp_path: Path) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    (row,) = call(
        tmp_path, "inspect", "--jsonl", stdin=lines({"id": 1, "messages": [{"role": "user", "content": [image]}]})
    ).rows
    assert row["sensitivity"] == "unknown"


def test_inspect_takes_a_thousand_texts_in_seconds(tmp_path: Path) -> None:
    rows = lines(*({"id": number, "text": f"write to user{number}@mail.org, thanks"} for number in range(1000)))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    result = run(tmp_path, "inspect", "--jsonl", stdin=rows)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 60
    assert [row["id"] for row in result.rows] == list(range(1000))
    assert {row["findings"][0]["kind"] for row in result.rows} == {"email"}


def test_a_line_comes_out_as_soon_as_its_row_went_in(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway", "inspect", "--jsonl"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number in range(2):
            process.stdin.write(lines({"id": number, "text": "hello"}).encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["id"] == number
        process.stdin.close()


@pytest.mark.parametrize("command", ["inspect", "score"])
@pytest.mark.parametrize(
    ("row", "says"),
    [
        (b"nope\n", "line 1"),
        (b"[1]\n", "line 1"),
        (b'{"id": 1}\n', "'text'"),
        (b'{"id": 1, "text": 5}\n', "'text'"),
        (b'{"id": 1, "messages": ["hi"]}\n', "'messages'"),
        (b'{"id": 1, "text": "hunter2 \xff"}\n', "line 1"),
        (b'{"id": 1, "text": ' + b"[" * 100_000 + b"\n", "line 1"),
    ],
    ids=["no JSON", "no object", "no text", "a number", "messages that are none", "not UTF-8", "too deep"],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, command: str, row: bytes, says: str) -> None:
    result = call(tmp_path, command, "--jsonl", stdin=row)
    assert result.code == 2
    assert says in result.sentence
    assert "hunter2" not in result.err


def test_what_came_before_a_bad_row_is_written(tmp_path: Path) -> None:
    result = call(tmp_path, "inspect", "--jsonl", stdin=lines({"id": 1, "text": "hi"}) + "nope\n")
    assert result.code == 2
    assert [row["id"] for row in result.rows] == [1]
    assert "line 2" in result.err


@pytest.mark.parametrize(
    "row",
    [
        {"id": 1, "messages": [{"role": "user", "content": 5}]},
        {"id": 1, "messages": [{}]},
        {"id": 1, "messages": []},
        {"id": 1, "text": "\ud800"},
        {"id": {"nested": 1}, "text": "hi"},
    ],
    ids=["a number as content", "an empty message", "no messages", "half a character", "an odd id"],
)
@pytest.mark.parametrize("command", ["inspect", "score"])
def test_odd_rows_get_a_line_like_all_others(tmp_path: Path, command: str, row: dict[str, object]) -> None:
    result = call(tmp_path, command, "--jsonl", stdin=lines(row))
    assert (result.code, result.err) == (0, "")
    assert result.rows[0]["id"] == row["id"]


# ── score ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_score_writes_the_gain_of_each_row(tmp_path: Path) -> None:
    rows = lines({"id": 1, "text": HARD}, {"id": 2, "messages": [{"role": "user", "content": "Say hello."}]})
    hard, easy = run(tmp_path, "score", "--jsonl", stdin=rows).rows
    assert list(hard) == ["id", "gain", "confidence", "language", "needs", "ms"]
    assert (hard["id"], hard["language"]) == (1, "en")
    assert hard["gain"] > 0.55 > easy["gain"]
    assert hard["needs"]["tools"] is False


def test_score_explains_what_made_it_and_repeats_no_text(tmp_path: Path) -> None:
    result = call(tmp_path, "score", "--jsonl", "--explain", stdin=lines({"id": 1, "text": HARD}))
    (told,) = result.rows
    made = told["explained"]
    names = [feature["name"] for feature in made["lexical"]["features"]]
    assert {"prove", "length"} <= set(names)
    for side in ("local", "remote"):
        logit = made["lexical"]["intercepts"][side] + sum(each[side] for each in made["lexical"]["features"])
        assert 1 / (1 + math.exp(-logit)) == pytest.approx(made["lexical"][side], abs=0.001)
    assert (made["family"], made["easy"], made["ask"]["chars"]) == ("maths", None, len(HARD))
    assert "irrational" not in result.out


def test_score_explains_a_chat_by_its_last_ask(tmp_path: Path) -> None:
    chat = [
        {"role": "user", "content": HARD},
        {"role": "assistant", "content": "…"},
        {"role": "user", "content": "and in Italian?"},
    ]
    (told,) = call(tmp_path, "score", "--explain", "--json", stdin=json.dumps({"messages": chat})).rows
    assert told["explained"]["ask"]["inherited"] == 1
    (told,) = call(tmp_path, "score", "--explain", stdin="Hello!").rows
    assert told["explained"]["easy"] == "greeting"


def test_score_is_explained_to_a_person_to_a_person(tmp_path: Path) -> None:
    text = to_a_person(tmp_path, HARD, "--explain", command="score")
    assert "gain 0." in text
    assert "task maths" in text
    assert "prove" in text
    assert "irrational" not in text


@pytest.mark.parametrize("text", ["", " ", "😀", "a" * 100_000, "\u202e\u0000", "Ωმა ქართული"])
def test_whatever_is_scored_can_be_explained(tmp_path: Path, text: str) -> None:
    (told,) = call(tmp_path, "score", "--jsonl", "--explain", stdin=lines({"id": 1, "text": text})).rows
    assert told["explained"]["lexical"]["gain"] is not None


# ── explain ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_explain_decides_about_plain_text_and_says_what_permitted_it(tmp_path: Path) -> None:
    result = run(tmp_path, "explain", stdin=HARD)
    told = json.loads(result.out)
    assert (told["zone"], told["rule"]) == ("remote", "hard-and-nothing-found")
    assert {rule["name"]: rule["matched"] for rule in told["permits"]}["hard-and-nothing-found"] is True
    assert {rule["name"] for rule in told["forbids"]} == {"health-never"}
    assert "square root" not in result.out


def test_explain_decides_about_a_chat_body_under_the_policy_that_is_named(tmp_path: Path) -> None:
    body = json.dumps({"model": "large", "messages": [{"role": "user", "content": CARD}]})
    told = json.loads(call(tmp_path, "explain", stdin=body).out)
    assert (told["level"], told["zone"]) == ("restricted", "local")
    assert [found["kind"] for found in told["found"]] == ["payment_card"]
    refused = json.loads(call(tmp_path, "explain", "--policy", POLICIES / "strict.yaml", stdin=body).out)
    assert refused["refusal"] == "model_not_permitted"


def test_explain_looks_at_the_backends_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text("backends: []\n")
    assert json.loads(call(tmp_path, "explain", stdin=HARD).out)["zone"] == "local"


def test_explain_is_told_to_a_person_to_a_person(tmp_path: Path) -> None:
    text = to_a_person(tmp_path, HARD)
    assert "internal → remote (large) by rule hard-and-nothing-found" in text
    assert "permit hard-and-nothing-found to remote: holds" in text
    assert "forbid health-never from remote: does not apply; categories needs any of health, special, minor" in text
    assert text.count("asked-for-by-name") == 1, "every permit is told once"
    text = to_a_person(tmp_path, CARD)
    assert "permit asked-for-by-name to remote: sensitivity needs at most internal, has restricted" in text
    assert "null" not in text


def test_explain_tells_a_person_which_adapter_would_speak(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text("local: {adapters: [{name: letters, path: letters.gguf}]}\n")
    (tmp_path / "p.yaml").write_text(
        "name: p\nadapters:\n"
        "  - {name: italian, adapter: none, when: {language: {in: [it]}}}\n"
        "  - {name: bank, adapter: letters, when: {categories: [financial]}}\n"
    )
    text = to_a_person(tmp_path, f"Please explain to me why {CARD}", "--policy", "p.yaml")
    assert "adapters 'bank' chooses 'letters'\r\n" in text
    assert "adapters italian chooses none: language needs in it, has en" in text
    assert "adapters bank chooses letters: holds" in text


TARGET = """
name: t
permit:
  - {name: hardest, zone: remote, when: {sensitivity: {at_most: internal}, target: {remote_share: 0.3, cap: 0.5}}}
"""


def test_explain_tells_a_person_in_words_where_a_request_would_stand(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(TARGET)
    hard = ("--policy", "p.yaml", "--rank", "0.82", "--quality", "0.991", "--share")
    text = to_a_person(tmp_path, HARD, *hard, "0.2")
    assert "internal → remote (large) by rule hardest" in text
    assert "  harder than 82 % of the tenant's recent requests of its kind\r\n" in text
    assert "answered here with all that is easier: 99.1 % of the quality from outside" in text
    assert "permit hardest to remote: holds; harder than 82 %" in text
    text = to_a_person(tmp_path, HARD, *hard, "0.5")
    assert "internal → local (local) by rule default" in text
    assert "50 % of the tenant's recent requests went out; the cap is 50 %" in text


def test_explain_says_who_knows_where_a_request_stands(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(TARGET)
    assert "a running gateway knows" in to_a_person(tmp_path, HARD, "--policy", "p.yaml")
    assert "a running gateway knows" not in to_a_person(tmp_path, HARD), "no rule of the default policy asks for it"


def test_explain_gives_the_fields_of_a_route_and_what_it_would_cost(tmp_path: Path) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": HARD}], "max_tokens": 100})
    told = json.loads(call(tmp_path, "explain", stdin=body).out)
    assert told["scores"]["gain"] == told["gain"]
    assert told["cost"]["completion_tokens"] == 100
    assert told["cost"]["usd"] == told["cost"]["all_remote_usd"] > 0  # gpt-4.1, out of litellm's list
    assert {way["backend"]: way["usd"] == 0 for way in told["ways"]} == {"large": False, "local": True}
    stays = json.loads(call(tmp_path, "explain", stdin=CARD).out)
    assert (stays["kinds"], stays["cost"]["usd"]) == ({"payment_card": 1}, 0.0)


def test_explain_tells_a_person_what_it_would_cost_and_what_a_model_lacks(tmp_path: Path) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    text = to_a_person(tmp_path, HARD)
    assert "for an answer of 300 tokens; outside $0.00" in text
    assert "if that fails: local (local)" in text
    text = to_a_person(tmp_path, json.dumps({"messages": [{"role": "user", "content": [image]}]}))
    assert "local lacks: image" in text


WHO = """\
name: who
permit:
  - {name: staff, zone: remote, when: {sensitivity: {at_most: internal}, role: {in: [staff]}, tag: {in: [lab]}}}
  - {name: open, zone: remote, when: {sensitivity: {at_most: public}, purpose: {in: [demo]}}}
"""


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ((), "default"),
        (("--role", "staff"), "default"),
        (("--role", "staff", "--role", "guest", "--tag", "lab"), "staff"),
        (("--public", "--purpose", "demo"), "open"),
    ],
    ids=" ".join,
)
def test_explain_asks_for_whom(tmp_path: Path, arguments: tuple[str, ...], rule: str) -> None:
    (tmp_path / "who.yaml").write_text(WHO)
    assert json.loads(call(tmp_path, "explain", "--policy", "who.yaml", *arguments, stdin=HARD).out)["rule"] == rule


def test_explain_says_what_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "who.yaml").write_text(WHO + "forbid: [{name: guests, zone: remote, when: {role: {in: [guest]}}}]\n")
    text = to_a_person(tmp_path, HARD, "--policy", "who.yaml")
    assert "permit staff to remote: role needs in staff, that is not known; tag needs in lab, that is not known" in text
    assert "forbid guests from remote: APPLIES, because this is not known: role" in text


@pytest.mark.parametrize(
    ("stdin", "arguments", "says"),
    [
        (b'{"messages": []}', (), "messages"),
        (b'{"messages": [{"role": "nobody", "content": "hunter2"}]}', (), "messages[0].role"),
        (b"hi", ("--model", "nope"), "nope"),
        (b"hi", ("--policy", "nope.yaml"), "nope.yaml"),
        (b"hi", ("--config", "nope.yaml"), "nope.yaml"),
        (b"hunter2 \xff", (), "UTF-8"),
    ],
)
def test_explain_names_what_is_wrong(tmp_path: Path, stdin: bytes, arguments: tuple[str, ...], says: str) -> None:
    result = call(tmp_path, "explain", *arguments, stdin=stdin)
    assert result.code == 2
    assert says in result.sentence
    assert "hunter2" not in result.err


# ── In a pipe ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", ["inspect --jsonl", "score --jsonl"])
def test_a_reader_that_leaves_is_no_error(tmp_path: Path, command: str) -> None:
    (tmp_path / "rows").write_text(lines(*({"id": number, "text": "hello there"} for number in range(3000))))
    line = f"{sys.executable} -m gateway {command} < rows | head -n 1"
    result = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout)["id"] == 0
