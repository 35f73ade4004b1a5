"""Several gateways over one server: what they share, what lies in it, and what happens when it is gone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest
from structlog.testing import CapturingLogger

from gateway.cache.breaker import Breaker
from gateway.core.errors import ConfigurationError
from gateway.core.types import Scan, Unreadable
from gateway.taint import TaintMemory, open_taints
from gateway.taint.proof import NAME
from tests.support.ports import held_port
from tests.support.tainting import (
    ANSWER,
    Clock,
    answer,
    assessed,
    called,
    calling,
    chat,
    found,
    in_pieces,
    kinds,
    result,
)
from tests.support.valkey import ValkeyServer

pytestmark = pytest.mark.anyio

Make = Callable[..., TaintMemory]
UNAVAILABLE = (Unreadable("$", "taint_unavailable"),)
SECRET = b"a secret of thirty-two bytes ...."


def everything(server: ValkeyServer) -> bytes:
    """All keys and values, opened up as far as a stranger could."""
    held: list[bytes] = []
    with server.client() as client:
        held += client.zrange(NAME, 0, -1)
        for key in logs(client):
            assert client.type(key) == b"stream"
            held.append(key)
            for number, fields in client.xrange(key):
                held += [number, *(part for pair in fields.items() for part in pair)]
    return b"\n".join(held)


def logs(client: Any) -> list[bytes]:
    """The keys of what is remembered: all but the one that says whose keys are alike."""
    return [key for key in client.scan_iter() if key != NAME.encode()]


@contextmanager
def frozen(server: ValkeyServer) -> Iterator[None]:
    """Alive, and says nothing."""
    with server.client() as client:
        process = int(client.info("server")["process_id"])
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where no server is."""
    with held_port() as port:
        yield f"redis://127.0.0.1:{port}"


# -- shared ----------------------------------------------------------------------------------------------------


async def test_what_one_gateway_answered_another_recognises(server: ValkeyServer, gateway: Make) -> None:
    here, there = gateway(server.url), gateway(server.url)
    assert await there.recall(chat("q", "Hello!")) == Scan()
    await answer(here, chat("q", conversation="c-1"), [*in_pieces(ANSWER), *calling("call_kX81bd92hf", "{}")])
    assert kinds(await there.recall(chat("q", ANSWER))) == {"health_fact"}
    assert kinds(await there.recall(chat("q", conversation="c-1"))) == {"health_fact"}
    assert kinds(await there.recall(chat("q", called("call_kX81bd92hf", "{}")))) == {"health_fact"}
    assert await there.recall(chat("q", ANSWER, subject="other")) == Scan()


async def test_two_gateways_that_remember_the_same_add_up(server: ValkeyServer, gateway: Make) -> None:
    here, there = gateway(server.url), gateway(server.url)
    await answer(here, chat("q"), of=assessed(found("iban", "financial")))
    await answer(there, chat("q"), of=assessed(found("health_fact", "health")))
    for taints in (here, there, gateway(server.url)):
        assert kinds(await taints.recall(chat(ANSWER))) == {"iban", "health_fact"}


async def test_a_gateway_that_starts_later_reads_all_of_a_long_log(server: ValkeyServer, gateway: Make) -> None:
    here, late = gateway(server.url), gateway(server.url)
    for number in range(150):
        await answer(here, chat("q"), f"Case {number}: {'x' * number} {ANSWER[number : number + 150]}")
    scan = await late.recall(chat("q", ANSWER))
    assert kinds(scan) == {"health_fact"}
    assert late.status()["entries"] == 150
    written = here.status()["remembered"]
    await late.recall(chat("q", ANSWER))
    assert written == 150


async def test_a_log_too_long_for_one_deadline_is_read_on_with_the_next_request(
    server: ValkeyServer, gateway: Make
) -> None:
    here, late = gateway(server.url), gateway(server.url)
    for number in range(100):
        await answer(here, chat("q"), f"Case {number}: {ANSWER[number : number + 150]}")
    late._store._patience_s = 0.0  # every page is too slow
    reasons = [[part.reason for part in (await late.recall(chat(ANSWER))).unreadable] for _ in range(5)]
    assert reasons == [["taint_unavailable"]] * 3 + [[]] * 2


async def test_gateways_with_different_keys_say_so_and_do_not_take_silence_for_nothing(
    server: ValkeyServer, gateway: Make
) -> None:
    log = CapturingLogger()
    here, there = gateway(server.url), gateway(server.url, secret=b"another secret of 32 bytes......", log=log)
    await here.recall(chat("q"))
    assert here.status()["state"] == "ok"
    await answer(here, chat("q"))
    for _ in range(2):
        assert await there.recall(chat("q", ANSWER)) == Scan(unreadable=UNAVAILABLE)
    assert (there.status()["state"], there.status()["key_differs"]) == ("down", True)
    assert [call.args for call in log.calls] == [("taint_key_differs",)]


async def test_a_gateway_that_starts_says_at_once_whether_its_key_is_another(
    server: ValkeyServer, gateway: Make
) -> None:
    same = [gateway(server.url) for _ in range(2)]
    other = gateway(server.url, secret=b"another secret of 32 bytes......")
    for taints in (*same, other):
        assert await taints.warm()
    assert [taints.status()["state"] for taints in (*same, other)] == ["ok", "ok", "down"]


async def test_keys_that_were_changed_everywhere_are_alike_again_after_a_while(
    server: ValkeyServer, gateway: Make
) -> None:
    clock = Clock(time.time())
    assert await gateway(server.url, secret=b"the key of yesterday, 32 bytes..", clock=clock).warm()
    clock.now += 601
    assert await gateway(server.url, clock=clock).warm()
    late = gateway(server.url, clock=clock)
    assert await late.warm()
    assert late.status()["state"] == "ok"


async def test_what_comes_back_here_lives_on_there(server: ValkeyServer, gateway: Make) -> None:
    clock = Clock(time.time())
    here, there = (gateway(server.url, ttl_s=1000, clock=clock) for _ in range(2))
    await answer(here, chat("q"))
    clock.now += 700
    assert kinds(await here.recall(chat(ANSWER))) == {"health_fact"}
    clock.now += 700
    assert kinds(await there.recall(chat(ANSWER))) == {"health_fact"}


# -- what lies in the server -----------------------------------------------------------------------------------


async def test_nothing_readable_lies_in_the_server(server: ValkeyServer, gateway: Make) -> None:
    taints = gateway(server.url)
    arguments = '{"to": "PLANTED-9d1e, Rossi", "kind": "PLANTED-9d1e"}'
    pieces = [*in_pieces(f"PLANTED-9d1e {ANSWER}"), *calling("call_PLANTED9d1e", arguments)]
    asked = chat("PLANTED-9d1e", subject="PLANTED-9d1e", tenant="PLANTED-9d1e", conversation="PLANTED-9d1e")
    await answer(taints, asked, pieces)
    history = (called("call_PLANTED9d1e", arguments), result("call_PLANTED9d1e", f"PLANTED-9d1e {ANSWER[::-1]}"))
    await answer(taints, chat(*history, subject="PLANTED-9d1e", tenant="PLANTED-9d1e"), "ok")
    held = everything(server)
    assert held.count(b"slmgw:taint:{") == 1
    assert len(held) > 1000
    for word in ("PLANTED", "9d1e", "Rossi", "biopsy", "yspoib", "health", "call", "iban", "derived"):
        assert word.encode() not in held


async def test_keys_expire_with_what_they_hold(server: ValkeyServer, gateway: Make) -> None:
    await answer(gateway(server.url, ttl_s=60), chat("q"))
    with server.client() as client:
        (key,) = logs(client)
        assert 0 < client.pttl(key) <= 60_000


async def test_a_log_has_a_bound(server: ValkeyServer, gateway: Make) -> None:
    taints = gateway(server.url)
    taints._store._max_entries = 100
    for number in range(400):
        await answer(taints, chat("q", conversation=f"c-{number}"), "short")
    with server.client() as client:
        (key,) = logs(client)
        assert client.xlen(key) <= 300


async def test_a_value_that_somebody_changed_is_not_believed_and_counted(server: ValkeyServer, gateway: Make) -> None:
    log = CapturingLogger()
    here, there = gateway(server.url), gateway(server.url, log=log)
    await answer(here, chat("q"))
    with server.client() as client:
        (key,) = logs(client)
        ((number, fields),) = client.xrange(key)
        client.xdel(key, number)
        client.xadd(key, {b"e": fields[b"e"][:-1] + bytes([fields[b"e"][-1] ^ 1])})
        client.xadd(key, {b"other": b"x"})
    assert await there.recall(chat("q", ANSWER)) == Scan()
    assert there.status()["unsealable"] == 2
    assert [call.args for call in log.calls] == [("taint_unsealable",)]


# -- when it is gone -------------------------------------------------------------------------------------------

LONG = (
    "Please translate what follows into French, and keep the tone of the original as well as you can: " + "word " * 20
)

BRINGS_BACK = {
    "an assistant's message": chat("q", "Yes."),
    "a tool's message": chat("q", result("call_0", "ok")),
    "a function's message": chat({"role": "function", "name": "f", "content": "ok"}),
    "a conversation id": chat("q", conversation="c-9"),
    "a long text": chat(LONG),
    "a long system prompt": chat({"role": "system", "content": LONG}, "q"),
    "a long part": chat({"role": "user", "content": [{"type": "text", "text": LONG}]}),
    "a prediction": chat("q", prediction={"type": "content", "content": LONG}),
    "something that is no JSON": chat("q", notes={"x": {1, 2}}),
}
FRESH = {
    "a short question": chat("How many legs has a spider?"),
    "a short system prompt": chat({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Legs?"}),
    "nothing": chat(),
}


@pytest.mark.parametrize("request_", BRINGS_BACK.values(), ids=BRINGS_BACK.keys())
async def test_without_the_server_what_brings_something_back_is_unread(
    gateway: Make, nobody: str, request_: Any
) -> None:
    taints = gateway(nobody)
    assert (await taints.recall(request_)).unreadable == UNAVAILABLE


@pytest.mark.parametrize("request_", FRESH.values(), ids=FRESH.keys())
async def test_without_the_server_what_is_new_goes_on(gateway: Make, nobody: str, request_: Any) -> None:
    taints = gateway(nobody)
    assert await taints.recall(request_) == Scan()


async def test_without_the_server_what_was_there_before_goes_on(server: ValkeyServer, gateway: Make) -> None:
    """The same system prompt comes with every request: no answer given since can be where it comes from."""
    taints = gateway(server.url)
    prompt = {"role": "system", "content": LONG}
    hi, hello = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello!"}
    assert await taints.recall(chat(prompt, hi, hello)) == Scan()
    server.stop()
    assert await taints.recall(chat(prompt, {"role": "user", "content": "Another chat"})) == Scan()
    assert await taints.recall(chat(prompt, hi, hello, {"role": "user", "content": "And?"})) == Scan()
    assert (await taints.recall(chat(prompt, hi, {**hello, "content": "Good day!"}))).unreadable == UNAVAILABLE
    assert (await taints.recall(chat(prompt, subject="other"))).unreadable == UNAVAILABLE
    assert (await taints.recall(chat(prompt, conversation="c-1"))).unreadable == UNAVAILABLE


async def test_a_server_killed_midway_costs_nothing_that_was_remembered(server: ValkeyServer, gateway: Make) -> None:
    log = CapturingLogger()
    here, there = gateway(server.url, log=log), gateway(server.url)
    await answer(here, chat("before", conversation="c-1"))
    server.stop()
    meanwhile = "While nobody listened: the patient in room twelve has been told about the result of the second test."
    await answer(here, chat("q"), meanwhile)
    scan = await here.recall(chat("q", meanwhile))
    assert kinds(scan) == {"health_fact"}  # of its own memory
    assert scan.unreadable == UNAVAILABLE  # and there may be more
    assert here.status()["state"] == "down"
    assert here.status()["unsent"] == 1

    server.start()
    await anyio.sleep(0.06)
    assert kinds(await here.recall(chat("q", ANSWER))) == {"health_fact"}  # its own, though the server has lost it
    assert here.status()["unsent"] == 0
    assert kinds(await there.recall(chat("q", meanwhile))) == {"health_fact"}
    assert (await here.recall(chat("q", "Yes."))).unreadable == ()
    assert [(call.method_name, call.args) for call in log.calls] == [
        ("warning", ("taint_down",)),
        ("info", ("taint_back",)),
    ]


async def test_a_server_that_says_nothing_costs_its_deadline_and_then_nothing(
    server: ValkeyServer, gateway: Make
) -> None:
    taints = gateway(server.url, timeout_s=0.05, breaker=Breaker(failures=3, rest_s=3600))
    assert await taints.warm()
    with frozen(server):
        slow = [await timed(taints) for _ in range(3)]
        assert min(slow) > 0.045  # it did wait
        assert min(slow) < 1.5  # 50 ms, and room for a busy test machine; the vendor's own patience is 2 s
        for _ in range(300):
            assert (await taints.recall(chat("q", "Yes."))).unreadable == UNAVAILABLE
        assert taints.status()["failures"] == 3  # nobody asks it any more
        await answer(taints, chat("q"))
        assert taints.status()["unsent"] == 1


async def timed(taints: TaintMemory) -> float:
    began = time.perf_counter()
    assert (await taints.recall(chat("q", "Yes."))).unreadable == UNAVAILABLE
    return time.perf_counter() - began


async def test_a_server_that_is_full_is_no_outage_and_gets_the_rest_later(server: ValkeyServer, gateway: Make) -> None:
    here, there = gateway(server.url), gateway(server.url)
    with server.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
        await answer(here, chat("q"))
        assert kinds(await here.recall(chat("q", ANSWER))) == {"health_fact"}
        assert (here.status()["state"], here.status()["unsent"]) == ("ok", 1)
        client.config_set("maxmemory", "0")
    await answer(here, chat("q"), "short")
    await answer(here, chat("q"), ANSWER[::-1])
    assert here.status()["unsent"] == 0
    assert kinds(await there.recall(chat("q", ANSWER))) == {"health_fact"}


async def test_a_foreign_type_under_the_name_is_a_memory_that_cannot_be_asked(
    server: ValkeyServer, gateway: Make
) -> None:
    here, there = gateway(server.url), gateway(server.url)
    await answer(here, chat("q"))
    with server.client() as client:
        (key,) = logs(client)
        client.delete(key)
        client.rpush(key, "x")
    assert (await there.recall(chat("q", ANSWER))).unreadable == UNAVAILABLE
    assert there.status()["state"] == "ok"


async def test_what_waits_for_the_server_has_a_bound(gateway: Make, nobody: str) -> None:
    taints = gateway(nobody)
    taints._store._max_unsent = 10
    for number in range(30):
        await answer(taints, chat("q", conversation=f"c-{number}"), "short")
    assert (taints.status()["unsent"], taints.status()["dropped"]) == (10, 20)


async def test_a_client_that_leaves_while_it_is_written_loses_nothing(server: ValkeyServer, gateway: Make) -> None:
    taints = gateway(server.url, timeout_s=5.0)
    assert await taints.warm()
    with frozen(server):
        with anyio.move_on_after(0.05) as left:
            await answer(taints, chat("q"))
        assert left.cancelled_caught
        assert taints.status()["unsent"] == 1
    await answer(taints, chat("q"), "short")
    assert kinds(await gateway(server.url).recall(chat("q", ANSWER))) == {"health_fact"}


# -- opened ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [None, "memory://"], ids=["none", "memory"])
async def test_without_an_address_it_is_this_process_alone(url: str | None) -> None:
    taints = open_taints(url, secret=SECRET)
    assert await taints.warm()
    assert taints.status()["kind"] == "memory"
    await answer(taints, chat("q"))
    await taints.aclose()
    assert taints.status()["entries"] == 0


@pytest.mark.parametrize(
    ("url", "says"),
    [("http://u:PLANTED@h", "taint.url must begin"), ("redis://u:PLANTED@h:port", "taint.url is no 'redis' address")],
    ids=["unknown scheme", "no port"],
)
def test_an_address_that_is_none_is_told_without_its_password(url: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        open_taints(url, secret=SECRET)
    assert says in str(error.value)
    assert "PLANTED" not in str(error.value)


def test_a_shared_memory_needs_a_real_secret() -> None:
    with pytest.raises(ConfigurationError, match="at least 16 bytes"):
        open_taints("redis://localhost", secret=b"short")
