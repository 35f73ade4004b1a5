"""The commands around a gateway: init, keys, check, audit, why, models, help."""

from __future__ import annotations

import hashlib
import http.server
import json
import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from gateway.settings import load_settings
from tests.support.command import call, run
from tests.support.serving import Serving, serving

POLICIES = Path(__file__).parents[2] / "policies"
COMMANDS = (
    "serve", "init", "keys", "inspect", "score", "explain", "check", "case", "selfcheck", "assess", "audit", "why",
    "models",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(tmp_path: Path, command: str) -> None:
    result = call(tmp_path, command, "--help")
    assert (result.code, result.err) == (0, "")
    assert f"usage: gateway {command}" in result.out


def test_the_help_names_every_command(tmp_path: Path) -> None:
    out = run(tmp_path, "--help").out
    assert all(re.search(rf"^    {command}\s", out, re.MULTILINE) for command in COMMANDS)
    assert "examples:" in out


@pytest.mark.parametrize(
    "arguments", [(), ("nope",), ("audit",), ("models",), ("case",), ("keys", "old", "x"), ("serve", "-x")]
)
def test_a_command_used_wrongly_is_exit_code_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    result = call(tmp_path, *arguments)
    assert (result.code, result.out) == (2, "")
    assert "usage: gateway" in result.err


# ── init and keys ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_init_writes_a_configuration_that_loads_as_it_is_and_never_overwrites_one(tmp_path: Path) -> None:
    assert run(tmp_path, "init").code == 0
    settings, folder = load_settings(tmp_path / "gateway.yaml")
    assert (settings.server.port, settings.aliases["gpt-4o"], folder) == (8080, "auto", tmp_path)
    (tmp_path / "gateway.yaml").write_text("mine")
    again = run(tmp_path, "init")
    assert (again.code, (tmp_path / "gateway.yaml").read_text()) == (2, "mine")
    assert "--force" in again.sentence
    assert run(tmp_path, "init", "--force").code == 0
    assert run(tmp_path, "init", "no/such/folder.yaml").code == 2


def test_everything_that_init_leaves_commented_out_is_valid_too(tmp_path: Path) -> None:
    """Each commented setting, uncommented in place of the one it is an example for."""
    call(tmp_path, "init")
    text = (tmp_path / "gateway.yaml").read_text()
    sections = _commented(text)
    assert {next(iter(section)) for section in sections} >= {"auth", "local", "backends", "cache", "log", "server"}
    for section in sections:
        content = yaml.safe_load(text) | section
        if section.get("auth"):
            content["auth"]["keys"][0]["hash"] = "sha256:" + "0" * 64
        (tmp_path / "one.yaml").write_text(yaml.safe_dump(content))
        load_settings(tmp_path / "one.yaml")


def _commented(text: str) -> list[dict[str, object]]:
    """The commented settings: a line `# name: …` with the commented lines indented below it, or one inside server."""
    sections: list[str] = []
    for line in text.splitlines():
        inner = line.removeprefix("  ") if line.startswith("  # ") else line
        if not inner.startswith("# "):
            continue
        content = inner.removeprefix("# ")
        if line.startswith("  # "):
            sections.append("server:\n  " + content)
        elif content.startswith(("auth:", "local:", "backends:", "cache:", "log:")):
            sections.append(content)
        elif content.startswith(" ") and sections:
            sections[-1] += "\n" + content
    return [section for text in sections if isinstance(section := yaml.safe_load(text), dict)]


@pytest.mark.parametrize("name", ["default", "earned", "strict"])
def test_a_copy_of_a_shipped_policy_has_its_own_name_and_passes_its_own_cases(tmp_path: Path, name: str) -> None:
    assert call(tmp_path, "init", "--policy", name, "mine.yaml").code == 0
    assert yaml.safe_load((tmp_path / "mine.yaml").read_text())["name"] == "mine"
    assert "gateway check mine.yaml" in (tmp_path / "mine.cases.yaml").read_text()
    checked = call(tmp_path, "check", "mine.yaml")
    assert (checked.code, "cases pass" in checked.out) == (0, True)
    again = call(tmp_path, "init", "--policy", name, "mine.yaml")
    assert (again.code, "--force" in again.sentence) == (2, True)
    assert call(tmp_path, "init", "--policy", name, "mine.yaml", "--force").code == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nope",), "known: default, earned, masked, strict"),
        (("default", "my policy.yaml"), "my-policy.yaml"),
        (("default", "mine.txt"), "my-policy.yaml"),
        (("default", "no/such/folder.yaml"), "cannot write"),
    ],
)
def test_a_copy_that_cannot_be_made_is_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    result = call(tmp_path, "init", "--policy", *arguments)
    assert (result.code, says in result.sentence) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_new_key_says_what_policies_may_ask_about_it(tmp_path: Path) -> None:
    made = call(
        tmp_path, "keys", "new", "a", "--role", "x", "--role", "y", "--tag", "t", "--purpose", "null", "--public"
    )
    (tmp_path / "gateway.yaml").write_text(made.err[made.err.index("auth:") :])
    key = load_settings(tmp_path / "gateway.yaml")[0].auth.keys[0]
    assert (key.roles, key.tags, key.purpose, key.public) == ({"x", "y"}, {"t"}, "null", True)


def test_a_new_key_opens_the_gateway_that_has_its_hash_and_nothing_else_does(tmp_path: Path) -> None:
    made = run(tmp_path, "keys", "new", "my: app", "--tenant", "research")
    key = made.out.strip()
    assert made.out.count("\n") == 1
    config = yaml.safe_load(made.err[made.err.index("auth:") :])
    assert config["auth"]["keys"][0]["hash"] == "sha256:" + hashlib.sha256(key.encode()).hexdigest()
    with serving(tmp_path, {**config, "backends": []}, env={"GATEWAY_LOCAL": "canned"}) as gateway:
        for sent, status in ((None, 401), (f"Bearer {key}x", 401), (f"Bearer {key}", 200)):
            answer = gateway.ask("Hello", headers={"authorization": sent} if sent else None)
            assert answer.status_code == status
        assert key not in gateway.log()


# ── check ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("policy", sorted(POLICIES.glob("*[a-z].yaml")), ids=lambda path: path.name)
def test_every_shipped_policy_passes_its_cases(tmp_path: Path, policy: Path) -> None:
    if policy.name.endswith(".cases.yaml"):
        assert policy.with_name(policy.name.replace(".cases", "")).is_file()
        return
    result = call(tmp_path, "check", policy)
    assert (result.code, result.err) == (0, ""), result.out
    assert "unreachable" not in result.out
    assert f"{policy}: ok" in result.out


def test_a_failing_case_is_exit_code_1_and_says_what_differs_and_why(tmp_path: Path) -> None:
    shutil.copy(POLICIES / "strict.yaml", tmp_path / "mine.yaml")
    (tmp_path / "mine.cases.yaml").write_text(
        "- note: hard ones leave\n"
        "  messages: [{role: user, content: Prove it}]\n"
        "  complexity: 0.9\n"
        "  want: {zone: remote}\n"
    )
    result = run(tmp_path, "check", "mine.yaml")
    assert result.code == 1
    assert "FAILED hard ones leave" in result.out
    assert "zone: want remote, have local" in result.out
    assert "forbid 'nothing-leaves' keeps it from private" in result.out


def test_a_permit_that_nothing_can_reach_is_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "name: mine\n"
        "permit:\n  - {name: hard, zone: remote, when: {sensitivity: {at_most: internal}}}\n"
        "forbid:\n  - {name: never, zone: private}\n"
    )
    result = call(tmp_path, "check", "mine.yaml")
    assert (result.code, "unreachable" in result.out) == (1, True)
    assert "a policy without cases is a guess" in result.out


def test_a_rule_that_never_applies_is_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\nforbid: [{name: in, zone: remote, when: {kinds: [e-mail]}}]\n")
    result = call(tmp_path, "check", "mine.yaml")
    assert result.code == 1
    assert "never applies: mine.yaml: forbid 'in': no detector finds kind 'e-mail'; did you mean 'email'?" in result.out
    assert result.out.endswith("mine.yaml: not ok\n")


def test_a_rule_about_what_the_judge_says_applies_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\nlevels: {judged_private: restricted}\n")
    (tmp_path / "judged.yaml").write_text("detect: {judge: {}}\n")
    assert "never applies" in call(tmp_path, "check", "mine.yaml").out
    assert "never applies" not in call(tmp_path, "check", "mine.yaml", "--config", "judged.yaml").out


def test_a_rule_about_what_came_back_applies(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\nlevels: {derived_confidential: restricted}\n")
    assert "never applies" not in call(tmp_path, "check", "mine.yaml").out


@pytest.mark.parametrize("name", ["default.yaml", "policies/strict.yaml"])
def test_a_shipped_policy_is_checked_by_its_name_from_anywhere(tmp_path: Path, name: str) -> None:
    result = call(tmp_path, "check", name)
    assert (result.code, "cases pass" in result.out) == (0, True)


@pytest.mark.parametrize(
    ("content", "says"),
    [("nam: x\n", "nam"), ("permit: [", "1:10"), ("name: x\npermit: [{name: a, zone: mars}]\n", "zone")],
)
def test_a_policy_that_is_not_valid_is_exit_code_2(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "mine.yaml").write_text(content)
    result = call(tmp_path, "check", "mine.yaml")
    assert (result.code, result.out) == (2, "")
    assert says in result.err


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    assert "gone.yaml" in call(tmp_path, "check", "gone.yaml").sentence
    assert "gone.yaml" in call(tmp_path, "check", POLICIES / "strict.yaml", "--cases", "gone.yaml").sentence


# ── audit and why ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Serving, str]]:
    """A gateway that has answered one request and stopped, and that request's id."""
    folder = tmp_path_factory.mktemp("past")
    with serving(folder, {}, env={"GATEWAY_LOCAL": "canned"}) as gateway:
        answer = gateway.ask("Prove that the square root of 2 is irrational, then generalise to any prime.")
        gateway.stop()
        yield gateway, answer.headers["x-request-id"]


def test_a_whole_log_verifies_with_its_public_key_alone(past: tuple[Serving, str], tmp_path: Path) -> None:
    gateway, _ = past
    copy = tmp_path / "copy"
    shutil.copytree(gateway.audit, copy)
    result = run(tmp_path, "audit", "verify", copy)
    assert (result.code, result.err) == (0, "")
    told = json.loads(run(tmp_path, "audit", "verify", copy, "--json").out)
    assert told["records"] == len(gateway.records())


def test_a_record_that_was_changed_is_named_and_exit_code_1(past: tuple[Serving, str], tmp_path: Path) -> None:
    gateway, _ = past
    copy = tmp_path / "copy"
    shutil.copytree(gateway.audit, copy)
    segment = next(copy.glob("*.jsonl"))
    segment.write_text(segment.read_text().replace('"event":"attempt"', '"event":"attempx"'))
    result = call(tmp_path, "audit", "verify", copy)
    assert result.code == 1
    assert "4" in result.out


def test_records_are_shown_as_a_table_or_as_lines(past: tuple[Serving, str], tmp_path: Path) -> None:
    gateway, request_id = past
    table = run(tmp_path, "audit", "show", gateway.audit)
    assert table.out.count("\n") > 5
    shown = run(tmp_path, "audit", "show", gateway.audit, "--request", request_id, "--json").rows
    assert [record["event"] for record in shown] == ["decided", "attempt", "outcome"]
    last = run(tmp_path, "audit", "show", gateway.audit, "--event", "attempt", "--last", "1", "--json").rows
    assert [record["seq"] for record in last] == [4]


def test_what_left_is_counted_and_a_stand_in_is_not(past: tuple[Serving, str], tmp_path: Path) -> None:
    gateway, request_id = past
    shown = call(tmp_path, "audit", "show", gateway.audit, "--request", request_id).out
    assert "internal → remote (large) by rule hard-and-nothing-found" in shown
    assert "a stand-in played large, nothing sent" in shown
    none = call(tmp_path, "audit", "show", gateway.audit, "--left")
    assert (none.code, none.out.splitlines()[1:]) == (0, ["0 attempts to send something off this host"])
    copy = tmp_path / "copy"
    shutil.copytree(gateway.audit, copy)
    segment = next(copy.glob("*.jsonl"))
    segment.write_text(segment.read_text().replace('"wire":"canned"', '"wire":"openai"'))
    some = call(tmp_path, "audit", "show", copy, "--left", "--since", "2020-01-01", "--until", "2999-01-01T00:00Z")
    assert some.out.splitlines()[-1] == "1 attempts to send something off this host"
    assert "released to large (api.openai.com)" in some.out
    assert "0 attempts" in call(tmp_path, "audit", "show", copy, "--left", "--until", "2020").out
    rows = call(tmp_path, "audit", "show", copy, "--left", "--json")
    assert ([row["event"] for row in rows.rows], rows.err[:2]) == (["attempt"], "1 ")


@pytest.mark.parametrize("asked", [("--request", "req_nobody"), ("--event", "decidde")])
def test_records_that_nobody_wrote_are_exit_code_1(
    past: tuple[Serving, str], tmp_path: Path, asked: tuple[str, str]
) -> None:
    result = call(tmp_path, "audit", "show", past[0].audit, *asked)
    assert result.code == 1
    assert repr(asked[1]) in result.sentence


def test_a_time_that_is_none_is_exit_code_2(past: tuple[Serving, str], tmp_path: Path) -> None:
    result = call(tmp_path, "audit", "show", past[0].audit, "--since", "yesterday")
    assert (result.code, "2026-11-21" in result.sentence) == (2, True)


def test_a_copy_of_a_policy_that_was_changed_is_named_and_one_that_is_gone_is_noted(
    past: tuple[Serving, str], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(past[0].audit, copy)
    kept = next((copy / "policies").iterdir())
    kept.write_text(kept.read_text().replace("at_least: 0.55", "at_least: 0.05"))
    changed = call(tmp_path, "audit", "verify", copy)
    assert changed.code == 1
    assert changed.out.startswith(f"policy_altered: the copy policies/{kept.name} ")
    kept.unlink()
    gone = call(tmp_path, "audit", "verify", copy)
    assert (gone.code, gone.out.count("note: policy")) == (0, 1)
    assert kept.stem in gone.out


def test_a_log_is_held_against_an_earlier_head(past: tuple[Serving, str], tmp_path: Path) -> None:
    audit = past[0].audit
    assert call(tmp_path, "audit", "verify", audit, "--checkpoint", audit / "head").code == 0
    for wrong in (audit / "public.pem", audit / "gone"):
        assert call(tmp_path, "audit", "verify", audit, "--checkpoint", wrong).code == 2


def test_a_folder_without_a_log_is_exit_code_2(tmp_path: Path) -> None:
    assert call(tmp_path, "audit", "verify", "nowhere").code == 2
    (tmp_path / "empty").mkdir()
    assert call(tmp_path, "audit", "verify", "empty").code == 2


def test_why_tells_what_was_decided_and_decides_again(past: tuple[Serving, str], tmp_path: Path) -> None:
    gateway, request_id = past
    told = json.loads(run(gateway.folder, "why", request_id).out)
    assert (told["agrees"], told["note"]) == (True, "")
    assert told["attempts"][0]["host"] == "api.openai.com"
    assert told["outcome"]["outcome"] == "ok"


def test_why_says_what_it_lacks_when_only_the_log_was_copied(past: tuple[Serving, str], tmp_path: Path) -> None:
    gateway, request_id = past
    copy = tmp_path / "copy"
    shutil.copytree(gateway.audit, copy)
    told = json.loads(call(tmp_path, "why", request_id, "--dir", copy).out)
    assert "tenant is unknown" in told["note"]
    shutil.rmtree(copy / "policies")
    told = json.loads(call(tmp_path, "why", request_id, "--dir", copy).out)
    assert told["agrees"] is None
    assert "not kept" in told["note"]


def test_why_says_that_a_backend_is_another_one_today(past: tuple[Serving, str], tmp_path: Path) -> None:
    gateway, request_id = past
    (tmp_path / "gateway.yaml").write_text(
        "backends: [{name: large, zone: remote, base_url: 'https://other.example/v1', model: m}]\n"
    )
    told = json.loads(call(tmp_path, "why", request_id, "--dir", gateway.audit).out)
    assert told["agrees"] is True
    assert "was defined differently then" in told["note"]
    (tmp_path / "gateway.yaml").write_text("backends: []\n")
    told = json.loads(call(tmp_path, "why", request_id, "--dir", gateway.audit).out)
    assert told["agrees"] is False
    assert "not in this configuration any more" in told["note"]


def test_why_about_a_request_that_nobody_made_is_exit_code_2(past: tuple[Serving, str], tmp_path: Path) -> None:
    gateway, _ = past
    assert "req_nobody" in call(gateway.folder, "why", "req_nobody").sentence
    assert "--dir" in call(tmp_path, "why", "req_nobody").sentence


# ── models ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        return


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[str]:
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "tiny.gguf").write_bytes(b"GGUF" + bytes(1000))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/tiny.gguf"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_model_is_pulled_listed_verified_and_missed(tmp_path: Path, publisher: str) -> None:
    here = {"SLM_GATEWAY_DATA": str(tmp_path / "data"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    digest = hashlib.sha256(b"GGUF" + bytes(1000)).hexdigest()
    pulled = run(
        tmp_path, "models", "pull", publisher, "--sha256", digest, "--name", "tiny", "--languages", "en,it", env=here
    )
    assert (pulled.code, pulled.out) == (0, "tiny\n"), pulled.err
    listed = {row["id"]: row for row in run(tmp_path, "models", "list", env=here).rows}
    assert (listed["tiny"]["present"], listed["tiny"]["languages"]) == (True, ["en", "it"])
    assert run(tmp_path, "models", "verify", "tiny", env=here).out == f"tiny: ok {digest}\n"
    Path(listed["tiny"]["path"]).write_bytes(b"GGUF" + bytes(999) + b"x")
    changed = run(tmp_path, "models", "verify", "tiny", env=here)
    assert (changed.code, changed.out) == (1, "")
    assert digest in changed.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("pull", "nope"), "nope"),
        (("pull", "nope", "--languages", "en,english"), "--languages: a language is its ISO code of two letters"),
        (("pull", "https://127.0.0.1:1/x.gguf"), "--sha256"),
        (("verify", "nope"), "nope"),
    ],
)
def test_a_model_that_is_not_to_be_had_is_named(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    result = call(tmp_path, "models", *arguments)
    assert result.code == 2
    assert says in result.sentence


def test_a_model_with_another_digest_is_not_kept(tmp_path: Path, publisher: str) -> None:
    here = {"SLM_GATEWAY_DATA": str(tmp_path / "data")}
    result = call(tmp_path, "models", "pull", publisher, "--sha256", "0" * 64, env=here)
    assert result.code == 2
    assert not list((tmp_path / "data").rglob("*.gguf"))
