"""What a prompt leaves behind: nothing on the disk when the process dies, nothing that another tenant could tell."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from gateway.core.errors import BackendBroke
from gateway.core.types import Principal, Request
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.local import LocalEngine
from gateway.engine.options import EngineOptions
from tests.support.chaos import child_of
from tests.support.serving import Serving, serving

pytestmark = [pytest.mark.anyio, pytest.mark.model]

SECRET = "the vault opens with hydrangea-forty-one-quince"
ON_LINUX = sys.platform == "linux"


# ── On the disk ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def gateway(model: ModelFile, tmp_path: Path) -> Iterator[Serving]:
    """One whose every place to write lies below `tmp_path`, and that would dump core if it could."""
    for name in ("tmp", "home", "cache"):
        (tmp_path / name).mkdir()
    places = {
        "TMPDIR": str(tmp_path / "tmp"),
        "HOME": str(tmp_path / "home"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    config = {"local": {"context": 512, "model": str(model.path), "encode": "off"}, "backends": []}
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        with serving(tmp_path, config, env=places | {"OPENAI_API_KEY": "sk-none"}, ready="?zone=local") as started:
            yield started
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.parametrize("kind", [signal.SIGABRT, signal.SIGSEGV, signal.SIGKILL], ids=lambda kind: kind.name)
def test_a_child_that_dies_with_a_prompt_in_its_memory_leaves_nothing_on_the_disk(
    gateway: Serving, kind: signal.Signals
) -> None:
    child = _child(gateway)
    began, before = time.time() - 2, set(_cores())
    body = {"model": "local", "stream": True, "max_tokens": 400, "logit_bias": {"2": -100}}
    body["messages"] = [{"role": "user", "content": f"Remember: {SECRET}. Tell a long story."}]
    with (
        httpx.Client(timeout=60, trust_env=False) as client,
        client.stream("POST", gateway.url + "/v1/chat/completions", json=body) as response,
    ):
        lines = (line for line in response.iter_lines() if line.startswith("data: "))
        next(lines)
        os.kill(child, kind)
        *_, last = lines
    assert '"error"' in last
    assert SECRET not in last
    gateway.wait_until_ready("?zone=local")
    assert gateway.ask("Hi", model="local", max_tokens=2).status_code == 200
    assert gateway.stop() == 0
    assert [path for path in set(_cores()) - before if path.stat().st_mtime >= began] == []
    assert [path for path in _files(gateway.folder) if b"hydrangea" in path.read_bytes()] == []


def _cores() -> Iterator[Path]:
    """Where systems leave core files unless told another place: where the process ran, the top, their own folders."""
    for folder in (
        Path.cwd(),
        Path("/"),
        Path("/tmp"),
        Path("/cores"),
        Path("/var/crash"),
        Path("/var/lib/systemd/coredump"),
    ):
        with suppress(OSError):
            yield from (path for path in folder.iterdir() if "core" in path.name and path.is_file())


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _child(gateway: Serving) -> int:
    child = child_of(gateway.process.pid)
    assert child is not None
    return child


def test_the_child_may_write_no_core_and_is_closed_to_other_processes(gateway: Serving) -> None:
    child = _child(gateway)
    if not ON_LINUX:
        return
    limits = Path(f"/proc/{child}/limits").read_text().splitlines()
    assert [line.split()[4:6] for line in limits if line.startswith("Max core file size")] == [["0", "0"]]
    # What a process that is not dumpable has below /proc belongs to root, whoever it runs as; and nobody without
    # privileges may read its memory or attach to it.
    assert Path(f"/proc/{child}/mem").stat().st_uid == 0
    assert not _may_read(child)
    command = Path(f"/proc/{child}/cmdline").read_bytes()
    assert b"gateway.engine.child" in command
    names = [entry.partition(b"=")[0] for entry in Path(f"/proc/{child}/environ").read_bytes().split(b"\0")]
    assert b"PATH" in names
    assert not [name for name in names if b"KEY" in name or b"TOKEN" in name or b"SECRET" in name]


def _may_read(child: int) -> bool:
    """Whether one without privileges, of the same user, could read that memory."""
    user = Path(f"/proc/{child}").stat().st_uid or 65534
    code = (
        "import os, sys\n"
        f"os.getuid() or os.setuid({user})\n"
        f"try: os.close(os.open('/proc/{child}/mem', os.O_RDONLY))\n"
        "except PermissionError: sys.exit(3)\n"
    )
    return subprocess.run([sys.executable, "-I", "-c", code], check=False).returncode != 3


def test_a_process_with_the_engine_in_a_thread_may_write_no_core_either() -> None:
    script = (
        "import ctypes, resource, sys; from gateway.engine.hosting import ThreadHost; host = ThreadHost();"
        "dumpable = ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) if sys.platform == 'linux' else 0;"
        "print(resource.getrlimit(resource.RLIMIT_CORE), dumpable); host.connection.close()"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=300)
    assert said.stdout.split("\n")[0] == "(0, 0) 0"


async def test_a_thread_instead_of_a_child_leaves_nothing_either(
    model: ModelFile, tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    async with tools.running(LocalEngine(model, EngineOptions(context=512, isolation="thread"))) as engine:
        await tools.say(engine, f"Remember: {SECRET}", max_tokens=2)
    assert list(_files(tmp_path)) == []


async def test_an_error_of_a_dead_child_tells_nothing_of_the_prompt(model: ModelFile, tools: Any) -> None:
    async with tools.running(LocalEngine(model, EngineOptions(context=512))) as engine:
        asked = tools.request(SECRET, logit_bias={"2": -100})
        async with aclosing(engine.stream(asked, tools.decision)) as answer:
            await anext(answer)
            os.kill(engine.pid, signal.SIGABRT)
            with pytest.raises(BackendBroke) as broke:
                async for _ in answer:
                    pass
        seen: BaseException | None = broke.value
        while seen is not None:
            assert "hydrangea" not in f"{seen!r} {seen}"
            seen = seen.__cause__ or seen.__context__
        assert "hydrangea" not in f"{engine.status!r} {asked!r}"


# ── Between tenants ─────────────────────────────────────────────────────────────────────────────────────────────────

LONG = "The minutes of the meeting: " + " ".join(f"item {number} was agreed upon." for number in range(14))
OWN_SYSTEM = "You are the operator's assistant. " + " ".join(f"Rule {number}: be brief." for number in range(8))


@pytest.fixture(scope="module")
async def engine(model: ModelFile, tools: Any) -> Any:
    engine = LocalEngine(
        model, EngineOptions(context=512, threads=1, parallel=3, system_prompt=OWN_SYSTEM, encode="auto")
    )
    async with tools.running(engine) as started:
        yield started


async def cached(engine: LocalEngine, tools: Any, tenant: str, messages: list[dict[str, Any]], **body: Any) -> int:
    """How many prompt tokens were not computed anew for this tenant's request."""
    plain: Request = tools.request(messages, max_tokens=2, temperature=0, **body)
    usage = None
    async with aclosing(engine.stream(replace(plain, principal=Principal(tenant)), tools.decision)) as answer:
        async for pieces in answer:
            usage = pieces[-1].usage or usage
    assert usage is not None
    return int(usage.details["prompt_tokens_details"]["cached_tokens"])


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


async def test_a_tenant_finds_its_own_prompt_again_and_no_other_tenant_does(engine: LocalEngine, tools: Any) -> None:
    messages = [{"role": "system", "content": "You are a clerk."}, user(LONG)]
    prompt = await engine.count_tokens(messages)
    assert await cached(engine, tools, "a", messages) == 0
    assert await cached(engine, tools, "a", messages) == prompt - 1
    assert await cached(engine, tools, "b", messages) == 0, "the system message is the client's, not the operator's"
    assert await cached(engine, tools, "b", messages) == prompt - 1
    assert await cached(engine, tools, "c", messages) == 0


async def test_of_another_tenants_prompt_only_the_operators_own_system_prompt_is_shared(
    engine: LocalEngine, tools: Any
) -> None:
    await cached(engine, tools, "a", [user("A: " + LONG)])
    unlike = await cached(engine, tools, "b", [user("Something else")])
    assert unlike > 32, "the operator's own text is shared by all"
    assert await cached(engine, tools, "c", [user("A: " + LONG)]) == unlike
    assert await cached(engine, tools, "c", [user("A: " + LONG)]) > unlike + 50


async def test_a_tenant_that_guesses_anothers_prompt_while_it_streams_gains_nothing(
    engine: LocalEngine, tools: Any
) -> None:
    messages = [{"role": "system", "content": "You keep secrets."}, user("B: " + LONG)]
    running = replace(tools.request(messages, logit_bias={"2": -100}), principal=Principal("a"))
    async with aclosing(engine.stream(running, tools.decision)) as answer:
        await anext(answer)
        assert await cached(engine, tools, "b", messages) == 0
        assert await cached(engine, tools, "a", messages) > 50, "its own tenant may"


async def test_many_tenants_in_turn_never_see_more_than_the_operators_own(engine: LocalEngine, tools: Any) -> None:
    """More tenants than sequences, so that each one's cells were another's before."""
    shared = await cached(engine, tools, "t", [user("Something else")])
    for turn in range(4):
        assert await cached(engine, tools, f"t{turn}", [user("C: " + LONG)]) == shared
        own = [{"role": "system", "content": "Mine."}, user("C: " + LONG[:200])]
        assert await cached(engine, tools, f"t{turn}", own) == 0


async def test_a_request_that_names_a_seed_takes_over_nothing(engine: LocalEngine, tools: Any) -> None:
    await cached(engine, tools, "s", [user("D: " + LONG)])
    assert await cached(engine, tools, "s", [user("D: " + LONG)], seed=1) == 0


async def test_an_answer_is_part_of_what_its_conversation_finds_again(engine: LocalEngine, tools: Any) -> None:
    opening = user("E: " + LONG)
    said = await tools.say(engine, [opening], max_tokens=30, temperature=0)
    follow = [opening, {"role": "assistant", "content": said.text}, user("And then?")]
    tokens = await engine.count_tokens([opening])
    assert await cached(engine, tools, "default", follow) > tokens + 5


# ── In time ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("isolation", ["process", "thread"])
async def test_what_is_kept_is_overwritten_after_a_while_without_requests(
    model: ModelFile, tools: Any, isolation: Any
) -> None:
    engine = LocalEngine(model, EngineOptions(context=256, threads=1, parallel=2, isolation=isolation, keep_s=0.5))
    async with tools.running(engine):
        messages = [user("F: " + LONG[:300])]
        await cached(engine, tools, "a", messages)
        assert await cached(engine, tools, "a", messages) > 30, "at once it is still there"
        await _until_forgotten(lambda: cached(engine, tools, "a", messages))
        assert await cached(engine, tools, "a", messages) > 30, "and it is kept again"


async def _until_forgotten(ask: Callable[[], Any]) -> None:
    # No limit of time on a busy machine: only that it happens, at longer and longer pauses.
    for pause_s in (1.5, 3, 6, 12):
        await anyio.sleep(pause_s)
        if await ask() == 0:
            return
    raise AssertionError("what was kept is never overwritten")
