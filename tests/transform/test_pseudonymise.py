"""What leaves under pseudonyms, and that it comes back as it was."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import EgressDenied
from gateway.core.types import VALUES, Assessment, Chunk, Finding, Place, Principal, Unreadable
from gateway.transform import Pseudonymise
from gateway.transform.words import word_of

pytestmark = pytest.mark.anyio

IBAN, PHONE, EMAIL = "DE89 3704 0044 0532 0130 00", "+39 346 507 5291", "anna.verdi@posta-aziendale.it"
CARD, CODE = "5515 4321 4558 3581", "ZPCLRB98P07H501C"
KEY = "ghp_FBNOfQ5xj7t2ydf0K5uY8iH1wOLaQan8ePsq"
PLANTED = (IBAN, PHONE, EMAIL, CARD, CODE, KEY)
NATIONS = ("it_", "es_", "de_", "fr_", "uk_", "us_", "at_", "be_", "ch_", "eu_", "nl_", "pl_", "pt_")
KINDS = ["iban", "phone", "email", "payment_card", "passport", "medical_record", "postal_address", "date", "ip_address"]
WORDS_OF_OURS = ("PERSON", "FIRST_NAME", "LAST_NAME", "FULL_NAME", "TEXT", "VALUE", "NUMBER", "URL")
TOKEN = re.compile(r"\[((?:[A-Z]+_)+\d+)_([a-z0-9]{4})\]")


def leaves(body: Any) -> str:
    return json.dumps(body, ensure_ascii=False)


def said(transformed: Any, at: int = -1) -> Any:
    return transformed.request.body["messages"][at]["content"]


async def back(tools: Any, transformed: Any, text: str, sizes: tuple[int, ...] = ()) -> str:
    told: str = tools.text(await tools.through(transformed.restore, tools.says(text, sizes)))
    return told


@pytest.fixture
def transform(scanner: Any, secret: bytes) -> Pseudonymise:
    return Pseudonymise(scanner, secret)


async def test_values_leave_as_what_kind_of_thing_they_are(tools: Any, scanner: Any, transform: Pseudonymise) -> None:
    request = tools.request(f"IBAN {IBAN}, tel {PHONE}, mail {EMAIL}, carta {CARD}, CF {CODE}, key {KEY}")
    done = await tools.apply(transform, scanner, request)
    assert [name for name, _ in TOKEN.findall(said(done))] == [
        "IBAN_DE_1", "PHONE_1", "EMAIL_1", "CARD_1", "IT_FISCAL_CODE_1", "SECRET_1",
    ]  # fmt: skip
    assert done.replaced == 6
    assert await back(tools, done, said(done), (3, 1, 4)) == request.body["messages"][0]["content"]


async def test_a_request_without_values_is_left_alone(tools: Any, scanner: Any, transform: Pseudonymise) -> None:
    request = tools.request(
        "Fix commit 3f2c1d0a9b8e7f6a5d4c3b2a1f0e9d8c7b6a5f4e, id 550e8400-e29b-41d4-a716-446655440000, "
        "ISBN 978-3-16-148410-0"
    )
    done = await tools.apply(transform, scanner, request)
    assert done.request is request
    assert done.replaced == 0
    answer = tools.answer([])
    assert done.restore(answer) is answer


def everywhere(value: str) -> dict[str, Any]:
    """One request with a value in every place that a value can hide."""
    arguments = json.dumps({"q": f"for {value}", value: [value, 1]})
    asked = {"type": "string", "enum": [value, "b"], "description": f"e.g. {value}"}
    schema = {"type": "object", "properties": {"a": {"const": value}}}
    return {
        "messages": [
            {"role": "system", "content": f"You help {value}."},
            {"role": "user", "content": [{"type": "text", "text": f"say {value}"}, {"type": "text", "text": "x"}]},
            {"role": "assistant", "content": None, "refusal": f"not {value}", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": arguments}}]},
            {"role": "tool", "tool_call_id": "c1", "content": json.dumps([{"row": f"is\n{value}", "n": [value]}])},
            {"role": "user", "content": f"and “{value}”?"},
        ],
        "tools": [{"type": "function", "function": {"name": "look_up", "description": f"as for {value}", "parameters": {
            "type": "object", "properties": {"q": asked}}}}],
        "metadata": {"who": value, value: "x"},
        "stop": [f"{value}."],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}},
    }  # fmt: skip


@pytest.mark.parametrize("value", PLANTED, ids=["iban", "phone", "email", "card", "fiscal code", "secret"])
async def test_wherever_a_value_stands_it_does_not_leave(
    tools: Any, scanner: Any, transform: Pseudonymise, value: str
) -> None:
    body = everywhere(value)
    before = copy.deepcopy(body)
    request = tools.request(body.pop("messages"), **body)
    done = await tools.apply(transform, scanner, request)
    assert value not in leaves(done.request.body)
    assert request.body == {"model": "large", **before}, "the request itself is never changed"
    names = {name for name, _ in TOKEN.findall(leaves(done.request.body))}
    assert len(names) == 1, leaves(done.request.body)
    [name] = names
    assert done.replaced >= 16
    messages = done.request.body["messages"]
    call = json.loads(messages[2]["tool_calls"][0]["function"]["arguments"])
    assert call["q"].startswith(f"for [{name}_")
    assert json.loads(messages[3]["content"])[0]["row"].startswith(f"is\n[{name}_")
    assert done.request.body["tools"][0]["function"]["parameters"]["properties"]["q"]["enum"][1] == "b"
    assert any(key.startswith(name) for key in done.request.body["metadata"])


async def test_what_is_not_touched_is_shared_and_not_copied(tools: Any, scanner: Any, transform: Pseudonymise) -> None:
    quiet = {"role": "user", "content": "Hello there"}
    messages = [{"role": "system", "content": "Be brief"}, quiet, {"role": "user", "content": f"tel {PHONE}"}]
    done = await tools.apply(transform, scanner, tools.request(messages))
    assert done.request.body["messages"][1] is quiet


async def test_one_value_has_one_placeholder_however_it_is_spelled(
    tools: Any, scanner: Any, transform: Pseudonymise
) -> None:
    done = await tools.apply(
        transform, scanner, tools.request(f"IBAN {IBAN}; again {IBAN.replace(' ', '')}, {EMAIL} {EMAIL.upper()}")
    )
    tokens = [match.group() for match in TOKEN.finditer(said(done))]
    assert tokens[0] == tokens[1] != tokens[2] == tokens[3]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("anna.verdi@posta.it annaverdi@posta.it anna_verdi@posta.it an.na@verdiposta.it", id="mail"),
        pytest.param("anna\u200b.verdi@posta.it anna.verdi@posta.it", id="mail with an invisible sign"),
        pytest.param("IP 84.112.11.9, IP 84.11.211.9", id="ip address"),
        pytest.param("born on 1/11/1980, date of birth 11/1/1980, met on 11.1.1980", id="date of birth"),
        pytest.param("customer number 150000, total 1500.00 or 1.500,00 or 15 00 00", id="short number"),
    ],
)
async def test_what_only_a_mark_tells_apart_comes_back_as_it_was_written(
    tools: Any, scanner: Any, transform: Pseudonymise, text: str
) -> None:
    done = await tools.apply(transform, scanner, tools.request(text))
    assert done.replaced
    back = await tools.through(done.restore, [[Chunk(0, {"content": said(done)})]])
    assert tools.text(back) == text


async def test_a_value_found_once_is_replaced_where_nothing_gives_it_away(
    tools: Any, scanner: Any, transform: Pseudonymise
) -> None:
    detector = tools.detector({"4711-0815-22": ("customer_number", "identifier")})
    request = tools.request(
        [{"role": "user", "content": "4711-0815-22"}, {"role": "assistant", "content": "x47110815-22, 4711 0815 22."}]
    )
    done = await tools.apply(Pseudonymise(detector, b"k"), detector, request)
    token = said(done, 1)
    assert said(done) == f"x47110815-22, {token}.", "as a word of its own, in any spelling"


async def test_a_person_keeps_one_number_for_every_part_of_the_name(tools: Any, secret: bytes) -> None:
    detector = tools.detector(dict.fromkeys(("Giulia Moretti", "Hans Müller"), ("person", "person")))
    text = (
        "Giulia Moretti wrote. Ms Moretti: Giulia's plan and Müllers Rat; MORETTI agreed with Hans Müller. moretti no"
    )
    request = tools.request(text)
    done = await tools.apply(Pseudonymise(detector, secret), detector, request)
    names = [name for name, _ in TOKEN.findall(said(done))]
    assert names == ["PERSON_1", "LAST_NAME_1", "FIRST_NAME_1", "LAST_NAME_2", "LAST_NAME_1", "PERSON_2"]
    assert "Ms [LAST" in said(done)
    assert await back(tools, done, said(done), (2, 5)) == text.replace("MORETTI", "Moretti")


async def test_a_surname_before_its_full_name_is_tied_to_it(tools: Any, secret: bytes) -> None:
    detector = tools.detector({"Mr Moretti": ("person", "person"), "Ugo Moretti": ("person", "person")})
    done = await tools.apply(
        Pseudonymise(detector, secret), detector, tools.request("Mr Moretti is Ugo Moretti; Moretti!")
    )
    assert [name for name, _ in TOKEN.findall(said(done))] == ["PERSON_1", "FULL_NAME_1", "PERSON_1"]
    assert said(done).startswith("Mr [PERSON_1_")


async def test_names_that_are_words_stay_words(tools: Any, secret: bytes) -> None:
    detector = tools.detector({"Will Young": ("person", "person")})
    done = await tools.apply(
        Pseudonymise(detector, secret), detector, tools.request("Will Young came. Will he stay, Mr Young?")
    )
    assert re.sub(r"_[a-z0-9]{4}\]", "]", said(done)) == "[PERSON_1] came. Will he stay, Mr [LAST_NAME_1]?"


async def test_overlapping_findings_become_one_placeholder(tools: Any, secret: bytes) -> None:
    detector = tools.detector(
        {
            "https://ann:hunter2@db.example.org": ("credentialed_url", "credentialed_url"),
            "ann:hunter2": ("password", "secret"),
        }
    )
    done = await tools.apply(
        Pseudonymise(detector, secret), detector, tools.request("see https://ann:hunter2@db.example.org now")
    )
    assert TOKEN.fullmatch(said(done).removeprefix("see ").removesuffix(" now"))
    assert done.replaced == 1
    assert await back(tools, done, said(done)) == "see https://ann:hunter2@db.example.org now"


async def test_what_turns_up_around_a_placeholder_goes_with_it_and_comes_back_whole(tools: Any, secret: bytes) -> None:
    class Street:
        """Finds a name, and an address only once the name in it is gone."""

        pack = "street"

        async def scan(self, document: Any, seen: Any = None) -> Any:
            words = tools.detector({"Anna Kuhn": ("person", "person")})
            scan = await words.scan(document)
            text = document["messages"][-1]["content"]
            if match := re.search(r"Via \[PERSON[^ ]+ \d+", text):
                path = f"$.messages[{len(document['messages']) - 1}].content"
                found = Finding("street", "postal_address", "person", 0.9, Place(path, *match.span()))
                scan = type(scan)((*scan.findings, found))
            return scan

    detector = Street()
    text = "Via Anna Kuhn 12, Anna Kuhn"
    done = await tools.apply(Pseudonymise(detector, secret), detector, tools.request(text))
    assert re.sub(r"_[a-z0-9]{4}\]", "]", said(done)) == "[ADDRESS_1], [PERSON_1]"
    assert await back(tools, done, said(done), (4,)) == text


async def test_a_look_alike_of_the_users_own_comes_back_as_it_was_written(
    tools: Any, scanner: Any, transform: Pseudonymise
) -> None:
    request = tools.request(f"tel {PHONE}", conversation="c1")
    first = await tools.apply(transform, scanner, request)
    token = TOKEN.search(said(first)).group()  # type: ignore[union-attr]
    tag = token[-5:-1]
    theirs = f"tel {PHONE}: {token} [person_7_{tag}] PHONE 1 {tag} [PHONE_1] [PHONE_1_zzzz] and {tag}"
    done = await tools.apply(transform, scanner, tools.request(theirs, conversation="c1"))
    assert said(done).count(token) == 1, "only the value has it"
    assert "[PHONE_1] [PHONE_1_zzzz]" in said(done)
    assert await back(tools, done, said(done), (3, 7)) == theirs
    assert done.replaced == 1


async def test_another_requests_placeholders_are_never_restored(
    tools: Any, scanner: Any, transform: Pseudonymise
) -> None:
    one = await tools.apply(transform, scanner, tools.request(f"one {PHONE}"))
    two = await tools.apply(transform, scanner, tools.request(f"two {EMAIL}"))
    assert await back(tools, two, said(one)) == said(one)


async def test_placeholders_stay_the_same_while_a_conversation_grows(tools: Any, secret: bytes) -> None:
    detector = tools.names("Ada Lovelace", "Carl Gauss")
    transform = Pseudonymise(detector, secret)
    turns = [
        f"I am Ada Lovelace, {PHONE}",
        "Hello Ada Lovelace",
        f"write to Carl Gauss, {EMAIL}",
        "Done",
        f"and {IBAN}",
    ]
    before: list[Any] = []
    for count in range(1, len(turns) + 1):
        messages = [{"role": ("user", "assistant")[at % 2], "content": turn} for at, turn in enumerate(turns[:count])]
        done = await tools.apply(transform, detector, tools.request(messages))
        now = done.request.body["messages"]
        assert now[: len(before)] == before, "so that a provider's prompt cache goes on working"
        before = now


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ({}, {}, True),
        ({"conversation": "c1"}, {"conversation": "c1"}, True),
        ({"conversation": "c1"}, {"conversation": "c2"}, False),
        ({"principal": Principal("acme", "ann")}, {"principal": Principal("acme", "bob")}, False),
        ({"principal": Principal("acme", "ann")}, {"principal": Principal("other", "ann")}, False),
    ],
    ids=["same beginning", "same conversation", "other conversation", "other subject", "other tenant"],
)
async def test_a_tag_belongs_to_one_conversation_of_one_subject(
    tools: Any, scanner: Any, transform: Pseudonymise, one: Any, two: Any, same: bool
) -> None:
    tags = [
        TOKEN.search(said(await tools.apply(transform, scanner, tools.request(f"tel {PHONE}", **more))))[2]
        for more in (one, two)
    ]  # type: ignore[index]
    assert (tags[0] == tags[1]) is same


async def test_where_nothing_begins_a_conversation_the_tag_is_random(
    tools: Any, scanner: Any, transform: Pseudonymise
) -> None:
    messages = [{"role": "system", "content": f"tel {PHONE}"}]
    tags = {TOKEN.search(said(await tools.apply(transform, scanner, tools.request(messages))))[2] for _ in range(6)}  # type: ignore[index]
    assert len(tags) > 1


async def test_the_model_is_told_once_and_at_the_same_place(tools: Any, scanner: Any, transform: Pseudonymise) -> None:
    bare = await tools.apply(transform, scanner, tools.request(f"tel {PHONE}"))
    assert [message["role"] for message in bare.request.body["messages"]] == ["system", "user"]
    messages = [
        {"role": "developer", "content": [{"type": "text", "text": "Be brief"}]},
        {"role": "user", "content": f"tel {PHONE}"},
    ]
    told = await tools.apply(transform, scanner, tools.request(messages))
    assert [message["role"] for message in told.request.body["messages"]] == ["developer", "user"]
    assert "Copy tokens exactly" in told.request.body["messages"][0]["content"][1]["text"]


async def test_a_number_becomes_a_string_and_a_parameter_stays_at_home(
    tools: Any, scanner: Any, transform: Pseudonymise
) -> None:
    number = int(CARD.replace(" ", ""))
    messages = [
        {"role": "user", "content": "x"},
        {"role": "tool", "tool_call_id": "c", "content": json.dumps({"card": number})},
    ]
    done = await tools.apply(transform, scanner, tools.request(messages, metadata={"card": number}))
    assert TOKEN.fullmatch(json.loads(said(done))["card"])
    assert TOKEN.fullmatch(done.request.body["metadata"]["card"])
    with pytest.raises(EgressDenied):
        await tools.apply(transform, scanner, tools.request("x", seed=number))


async def test_a_row_of_numbers_is_replaced_number_by_number(tools: Any, scanner: Any, transform: Pseudonymise) -> None:
    row = [int(group) for group in CARD.split()]
    done = await tools.apply(transform, scanner, tools.request("x", metadata={"card": row}))
    assert all(TOKEN.fullmatch(item) for item in done.request.body["metadata"]["card"])
    assert await back(tools, done, " ".join(done.request.body["metadata"]["card"])) == CARD


async def test_where_only_plain_words_are_taken_the_placeholder_is_one(tools: Any, secret: bytes) -> None:
    detector = tools.detector({"rossi_spa": ("customer", "identifier"), "Max Kern": ("person", "person")})
    tool = {
        "type": "function",
        "function": {
            "name": "rossi_spa",
            "parameters": {"type": "object", "required": ["Max Kern"], "properties": {"Max Kern": {"type": "string"}}},
        },
    }
    request = tools.request([{"role": "user", "name": "rossi_spa", "content": "Max Kern, rossi_spa"}], tools=[tool])
    done = await tools.apply(Pseudonymise(detector, secret), detector, request)
    function = done.request.body["tools"][0]["function"]
    assert re.fullmatch(r"CUSTOMER_1_\w{4}", function["name"])
    assert done.request.body["messages"][1]["name"] == function["name"]
    assert function["parameters"]["required"] == list(function["parameters"]["properties"])
    call = {
        "index": 0,
        "id": "c",
        "function": {"name": function["name"], "arguments": json.dumps({function["parameters"]["required"][0]: 1})},
    }
    chunks = await tools.through(done.restore, [[Chunk(0, {"tool_calls": [call]})]])
    assert chunks[0].delta["tool_calls"][0]["function"] == {"name": "rossi_spa", "arguments": '{"Max Kern": 1}'}


async def test_an_encoded_value_goes_as_a_whole_and_comes_back_encoded(
    tools: Any, scanner: Any, transform: Pseudonymise
) -> None:
    text = "b64 aXRlbTogREU4OTM3MDQwMDQ0MDUzMjAxMzAwMA== and DE89370400440532013000"
    done = await tools.apply(transform, scanner, tools.request(text))
    assert "aXRl" not in leaves(done.request.body)
    assert await back(tools, done, said(done)) == text


async def test_a_value_spelled_with_escapes_elsewhere_is_found_all_the_same(tools: Any, secret: bytes) -> None:
    detector = tools.detector({"Jörg Häßler": ("person", "person")})
    arguments = json.dumps({"to": "Jörg Häßler", "q": 'a "b"'})
    assert "\\u00f6" in arguments
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    messages = [{"role": "user", "content": "I am Jörg Häßler"}, {"role": "assistant", "tool_calls": [call]}]
    done = await tools.apply(Pseudonymise(detector, secret), detector, tools.request(messages))
    inner = json.loads(done.request.body["messages"][-1]["tool_calls"][0]["function"]["arguments"])
    assert TOKEN.fullmatch(inner["to"])
    assert inner["q"] == 'a "b"'


async def test_a_name_found_in_part_leaves_no_part_behind(tools: Any, secret: bytes) -> None:
    class Half(type(tools.words())):  # type: ignore[misc]
        """Finds the full name once, and later its first word alone."""

        async def scan(self, document: Any, seen: Any = None) -> Any:
            scan = await super().scan(document)
            text = document["messages"][-1]["content"]
            path = f"$.messages[{len(document['messages']) - 1}].content"
            if (at := text.find("Ugo Moretti", 1)) > 0:
                scan = type(scan)(
                    (*scan.findings[:1], Finding("half", "person", "person", 0.9, Place(path, at, at + 3)))
                )
            return scan

    detector = Half({"Ugo Moretti": ("person", "person")})
    done = await tools.apply(Pseudonymise(detector, secret), detector, tools.request("Ugo Moretti, again Ugo Moretti"))
    assert "Moretti" not in leaves(done.request.body)
    assert await back(tools, done, said(done)) == "Ugo Moretti, again Ugo Moretti"


async def test_a_salary_told_by_a_word_alone_stays_and_one_told_by_a_sum_is_replaced(tools: Any, secret: bytes) -> None:
    words = tools.detector({"salary": ("salary", "financial")})
    with pytest.raises(EgressDenied):
        await tools.apply(Pseudonymise(words, secret), words, tools.request("my salary is low"))
    sums = tools.detector({"earn 52,000": ("salary", "financial")})
    done = await tools.apply(Pseudonymise(sums, secret), sums, tools.request("I earn 52,000"))
    assert re.fullmatch(r"I \[SALARY_1_\w{4}\]", said(done))


async def test_a_dump_of_hundreds_of_values_leaves_none_behind(
    tools: Any, scanner: Any, transform: Pseudonymise
) -> None:
    rows = [f"{at}, user{at}@firma-{at}.example.net" for at in range(300)]
    done = await tools.apply(transform, scanner, tools.request("\n".join(rows)))
    assert not re.search(r"user\d+@", leaves(done.request.body))
    assert len({match.group() for match in TOKEN.finditer(said(done))}) == 300
    assert await back(tools, done, said(done), (11,)) == "\n".join(rows)


async def test_a_placeholder_that_a_rule_takes_for_a_value_gives_way_to_a_plainer_one(
    tools: Any, secret: bytes
) -> None:
    detector = tools.detector({"4711": ("parcel", "identifier"), "PARCEL": ("parcel", "identifier")})

    class Wordy:
        pack = "wordy"

        async def scan(self, document: Any, seen: Any = None) -> Any:
            scan = await detector.scan(document)
            text = document["messages"][-1]["content"]
            if (at := text.find("PARCEL_")) >= 0:
                place = Place(f"$.messages[{len(document['messages']) - 1}].content", at, at + 8)
                scan = type(scan)((*scan.findings, Finding("wordy", "parcel", "identifier", 1.0, place)))
            return scan

    done = await tools.apply(Pseudonymise(Wordy(), secret), Wordy(), tools.request("parcel 4711"))
    assert re.fullmatch(r"parcel \[VALUE_1_\w{4}\]", said(done))
    assert await back(tools, done, said(done)) == "parcel 4711"


@pytest.mark.parametrize(
    "before", ["is ", "password: ", "my IBAN is ", "Dear Mr ", "tel. ", "API_KEY=", "born on ", "at ", "customer "]
)
async def test_no_rule_takes_a_placeholder_for_a_value(scanner: Any, before: str) -> None:
    kinds = [kind for kind in scanner.kinds if kind[:3] in NATIONS] + KINDS
    words = {word_of(kind, "identifier", "DE89") for kind in kinds} | {
        word_of("password", "secret", ""),
        *WORDS_OF_OURS,
    }
    told = {}
    for word in sorted(words):
        text = f"{before}[{word}_1_k7f2], [REMOVED_{word}_1]."
        scan = await scanner.scan({"messages": [{"role": "user", "content": text}]})
        if found := [each.kind for each in scan.findings if each.category in VALUES]:
            told[word] = found
    assert not told


async def test_a_split_value_stays(tools: Any, scanner: Any, transform: Pseudonymise) -> None:
    messages = [{"role": "user", "content": f"my IBAN is {IBAN[:14]}"}, {"role": "user", "content": IBAN[14:].strip()}]
    with pytest.raises(EgressDenied):
        await tools.apply(transform, scanner, tools.request(messages))


@pytest.mark.parametrize(
    "place",
    ["$", "$.nowhere", "$.messages[7].content", "$.messages[0]", "$.messages[0].content~key[3]", "nonsense"],
)
async def test_a_finding_without_a_place_keeps_the_request_at_home(
    tools: Any, transform: Pseudonymise, place: str
) -> None:
    found = Finding("x", "iban", "financial", 1.0, Place(place, 0, 4))
    with pytest.raises(EgressDenied):
        await transform.apply(tools.request("hello"), Assessment((found,)), {})


async def test_a_finding_in_an_attachment_keeps_the_request_at_home(tools: Any, transform: Pseudonymise) -> None:
    part = {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,eHh4"}}
    found = Finding("x", "iban", "financial", 1.0, Place("$.messages[0].content[0].file.file_data", 0, 4, "document"))
    with pytest.raises(EgressDenied):
        await transform.apply(tools.request([{"role": "user", "content": [part]}]), Assessment((found,)), {})


async def test_what_nobody_could_read_keeps_the_request_at_home(tools: Any, transform: Pseudonymise) -> None:
    with pytest.raises(EgressDenied):
        await transform.apply(tools.request("hello"), Assessment((), (Unreadable("$.messages[0]", "image"),)), {})


async def test_what_is_remembered_stands_nowhere_and_is_passed_over(tools: Any, transform: Pseudonymise) -> None:
    found = Finding("taint", "iban", "financial", 1.0, Place("$", 0, 0))
    assert (await transform.apply(tools.request("hello"), Assessment((found,)), {})).replaced == 0


async def test_a_detector_that_is_never_content_keeps_the_request_at_home(tools: Any, secret: bytes) -> None:
    class Never:
        pack = "never"
        scans = 0

        async def scan(self, document: Any, seen: Any = None) -> Any:
            self.scans += 1
            text = document["messages"][-1]["content"]
            path = f"$.messages[{len(document['messages']) - 1}].content"
            return type(await tools.words().scan({}))(
                (Finding("never", "iban", "financial", 1.0, Place(path, 0, len(text))),)
            )

    detector = Never()
    with pytest.raises(EgressDenied) as denied:
        await tools.apply(Pseudonymise(detector, secret), detector, tools.request("private words"))
    assert "private" not in str(denied.value)
    assert detector.scans <= 5


async def test_a_scan_that_cannot_read_the_result_keeps_it_at_home(tools: Any, secret: bytes) -> None:
    words = tools.names("Max Kern")

    class Late:
        pack = "late"

        async def scan(self, document: Any, seen: Any = None) -> Any:
            scan = await words.scan(document)
            return scan if scan.findings else type(scan)((), (Unreadable("$", "deadline"),))

    with pytest.raises(EgressDenied):
        await tools.apply(Pseudonymise(Late(), secret), Late(), tools.request("Max Kern"))


async def test_two_keys_that_would_become_one_keep_the_request_at_home(
    tools: Any, scanner: Any, transform: Pseudonymise
) -> None:
    with pytest.raises(EgressDenied):
        await tools.apply(transform, scanner, tools.request("x", metadata={EMAIL: 1, EMAIL.upper(): 2}))


async def test_nothing_of_a_request_shows_in_a_repr(tools: Any, scanner: Any, transform: Pseudonymise) -> None:
    done = await tools.apply(transform, scanner, tools.request(f"mail {EMAIL}"))
    assert EMAIL not in repr(done)
    assert EMAIL not in repr(done.restore)


WORDS = [
    "Please",
    "call",
    "to",
    "für",
    "città",
    "\n",
    "- ",
    '"x"',
    "{",
    "}",
    "[",
    "]",
    "\\",
    "mail:",
    "e",
    "🙂",
    *PLANTED,
]


@settings(max_examples=120)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=14), st.lists(st.integers(1, 9), min_size=1, max_size=4))
async def test_whatever_is_written_nothing_planted_leaves_and_all_comes_back(
    tools: Any, scanner: Any, secret: bytes, words: list[str], sizes: list[int]
) -> None:
    text = " ".join(words)
    messages = [
        {"role": "user", "content": text},
        {"role": "tool", "tool_call_id": "c", "content": json.dumps({"said": text})},
    ]
    request = tools.request(messages)
    try:
        done = await tools.apply(Pseudonymise(scanner, secret), scanner, request)
    except EgressDenied:
        return
    found = {value for value in PLANTED if value in text}
    gone = leaves(done.request.body)
    assert not [value for value in found if value in gone]
    at = next(at for at, message in enumerate(done.request.body["messages"]) if message["role"] == "user")
    assert await back(tools, done, said(done, at), tuple(sizes)) == text
    assert json.loads(said(done)).keys() == {"said"}
