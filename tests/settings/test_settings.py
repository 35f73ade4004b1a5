"""One file and the environment: which wins, what is refused, where paths start, what an error says."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.settings import Settings, load_settings, read_key
from gateway.wiring.backends import build_remotes, configured
from gateway.wiring.places import find_policy, places, secret, shipped_policies

Load = Callable[[str], Settings]
HASH = "sha256:" + "0" * 64
KEYS = f"{{mode: keys, keys: [{{name: app, hash: '{HASH}'}}]}}"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("GATEWAY_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str) -> Settings:
        (tmp_path / "gateway.yaml").write_text(text)
        return load_settings(tmp_path / "gateway.yaml")[0]

    return load


# ── Where values come from ──────────────────────────────────────────────────────────────────────────────────────────


def test_an_empty_file_is_the_defaults(load: Load) -> None:
    assert load("") == load("server:\nlocal:\n") == Settings()
    settings = load("")
    assert (settings.server.host, settings.server.port, settings.auth.mode) == ("127.0.0.1", 8080, "none")
    assert (str(settings.policy.path), settings.cache.url) == ("policies/default.yaml", "memory://")


ENVIRONMENT = {
    "adapters": (
        "",
        {"GATEWAY_LOCAL__ADAPTERS": "[{name: legal, path: legal.gguf, scale: 0.5}]"},
        lambda s: [(adapter.name, str(adapter.path), adapter.scale) for adapter in s.local.adapters],
        [("legal", "legal.gguf", 0.5)],
    ),
    "a number in a section": ("server: {port: 1}", {"GATEWAY_SERVER__PORT": "2"}, lambda s: s.server.port, 2),
    "beside the file's": ("server: {port: 1}", {"GATEWAY_SERVER__PING_S": "2"}, lambda s: s.server.port, 1),
    "in small letters": ("", {"gateway_server__port": "2"}, lambda s: s.server.port, 2),
    "a word": ("local: {model: x.gguf}", {"GATEWAY_LOCAL": "canned"}, lambda s: s.local.engine, "canned"),
    "a word beside the file's": ("local: {model: x}", {"GATEWAY_LOCAL": "canned"}, lambda s: s.local.model, "x"),
    "into a word of the file": ("local: canned", {"GATEWAY_LOCAL__CONTEXT": "999"}, lambda s: s.local.engine, "canned"),
    "a word and a value": (
        "",
        {"GATEWAY_LOCAL": "canned", "GATEWAY_LOCAL__CONTEXT": "999"},
        lambda s: (s.local.engine, s.local.context),
        ("canned", 999),
    ),
    "off": ("", {"GATEWAY_LOCAL": "off"}, lambda s: s.local.engine, "off"),
    "a list": ("", {"GATEWAY_LOCAL__LANGUAGES": "[en, it]"}, lambda s: s.local.languages, {"en", "it"}),
    "a list in JSON": (
        "",
        {"GATEWAY_SERVER__CORS_ORIGINS": '["https://a.example"]'},
        lambda s: s.server.cors_origins,
        ("https://a.example",),
    ),
    "a mapping": ("", {"GATEWAY_ALIASES": "{gpt-4.1: auto}"}, lambda s: s.aliases, {"gpt-4.1": "auto"}),
    "one of a mapping": (
        "aliases: {b: local}",
        {"GATEWAY_ALIASES": "{gpt: auto}"},
        lambda s: s.aliases,
        {"b": "local", "gpt": "auto"},
    ),
    "backends": (
        "",
        {"GATEWAY_BACKENDS": "[{name: a, zone: remote, base_url: 'https://a/v1', model: m}]"},
        lambda s: [backend.name for backend in s.backends],
        ["a"],
    ),
    "keys": (
        "",
        {"GATEWAY_AUTH__MODE": "keys", "GATEWAY_AUTH__KEYS": f"[{{name: app, hash: '{HASH}'}}]"},
        lambda s: s.auth.keys[0].name,
        "app",
    ),
    "a whole section": ("", {"GATEWAY_CACHE": "{url: 'off://'}"}, lambda s: s.cache.url, "off://"),
    "what an orchestrator sets for a service named gateway": (
        "",
        {"GATEWAY_PORT": "tcp://10.0.0.1:80", "GATEWAY_SERVICE_HOST": "10.0.0.1"},
        lambda s: s.server.port,
        8080,
    ),
}


@pytest.mark.parametrize(("text", "env", "read", "value"), ENVIRONMENT.values(), ids=ENVIRONMENT.keys())
def test_the_environment_wins_over_the_file(
    load: Load,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    env: dict[str, str],
    read: Callable[..., object],
    value: object,
) -> None:
    for name, content in env.items():
        monkeypatch.setenv(name, content)
    assert read(load(text)) == value


def test_the_environment_alone_is_enough(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GATEWAY_SERVER__PORT", "9000")
    monkeypatch.chdir(tmp_path)
    settings, folder = load_settings(None)
    assert (settings.server.port, folder) == (9000, tmp_path)


def test_the_command_line_wins_over_both_and_is_checked_too(load: Load, tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text("server: {port: 1}")
    settings, _ = load_settings(tmp_path / "gateway.yaml", host="::1", port=0)
    assert (settings.server.host, settings.server.port) == ("::1", 0)
    with pytest.raises(ConfigurationError, match="auth: none"):
        load_settings(tmp_path / "gateway.yaml", host="0.0.0.0")
    with pytest.raises(ConfigurationError, match="port"):
        load_settings(tmp_path / "gateway.yaml", port=70_000)


@pytest.mark.parametrize(
    ("text", "engine"), [("local: off", "off"), ("local: {engine: off}", "off"), ("local: canned", "canned")]
)
def test_a_word_is_short_for_the_engine(load: Load, text: str, engine: str) -> None:
    assert load(text).local.engine == engine


def test_a_word_switches_off_what_policies_have_asked_twice(load: Load) -> None:
    assert load("shadow: off").shadow.mode == load("shadow: {mode: off}").shadow.mode == "off"
    assert load("shadow: {budget_usd_per_day: 5}").shadow.mode == "auto"


# ── What is refused, and how it is said ─────────────────────────────────────────────────────────────────────────────

MISTAKES = {
    "an unknown section": ("polcy: {}", {}, "gateway.yaml: polcy: there is no such setting"),
    "a setting that has moved": (
        "shadow: {share: 0.1}",
        {},
        "gateway.yaml: shadow.share: this stands in the policy now: shadow: {share: 0.05, to: BACKEND}",
    ),
    "an unknown key": (
        "server: {prot: 1}",
        {},
        "gateway.yaml: server.prot: there is no such setting (did you mean 'port'?)",
    ),
    "an unknown key of a backend": (
        "backends: [{name: a, zone: remote, base_url: 'https://a', model: m, api_key: hunter2}]",
        {},
        "gateway.yaml: backends[1].api_key: there is no such setting (did you mean 'api_key_",
    ),
    "an unknown key in the environment": (
        "",
        {"GATEWAY_SERVER__PROT": "hunter2"},
        "GATEWAY_SERVER__PROT: server.prot: there is no such setting",
    ),
    "no number": ("server: {port: hunter2}", {}, "gateway.yaml: server.port: must be a valid integer"),
    "no number in the environment": (
        "",
        {"GATEWAY_SERVER__PORT": "hunter2"},
        "GATEWAY_SERVER__PORT: server.port: must be a valid integer",
    ),
    "a list for a section": ("server: [hunter2]", {}, "gateway.yaml: server: must be a mapping of settings"),
    "a word for a section": ("cache: hunter2", {}, "gateway.yaml: cache: must be a mapping of settings"),
    "a word for a list": ("", {"GATEWAY_BACKENDS": "hunter2"}, "GATEWAY_BACKENDS: backends: must be a list"),
    "no YAML in the environment": (
        "",
        {"GATEWAY_ALIASES": "{hunter2: [x"},
        "the environment variable for aliases is not YAML",
    ),
    "a key given twice": ("auth: none\nauth: none\n", {}, "gateway.yaml:2:1: key 'auth' stands here twice"),
    "no YAML": ("server: {port: [hunter2", {}, "gateway.yaml:1:"),
    "no mapping": ("- hunter2", {}, "gateway.yaml: must be a mapping of settings"),
    "a hash that is none": (
        "auth: {mode: keys, keys: [{name: a, hash: hunter2}]}",
        {},
        "gateway.yaml: auth.keys[1].hash: must be the hash that `gateway keys new` prints",
    ),
    "keys without a key": ("auth: {mode: keys}", {}, "auth.keys is empty: `gateway keys new` makes one"),
    "open to the world": ("server: {host: 0.0.0.0}", {}, "auth: none serves loopback addresses only"),
    "open by its name": ("server: {host: example.org}", {}, "auth: none serves loopback addresses only"),
    "any page without keys": ("server: {cors_origins: ['*']}", {}, "cors_origins '*' with auth: none"),
    "canned for others": (
        f"server: {{host: 0.0.0.0}}\nlocal: canned\nauth: {KEYS}",
        {},
        "the canned local model is for trying things out",
    ),
    "two backends of one name": (
        "backends: [{name: a, zone: remote, wire: canned, model: m}, {name: a, zone: remote, wire: canned, model: m}]",
        {},
        "two backends are named 'a'",
    ),
    "a reserved name": ("backends: [{name: auto, zone: remote, wire: canned, model: m}]", {}, "not 'auto' or 'local'"),
    "a name like an adapter's": (
        "backends: [{name: 'local:legal', zone: remote, wire: canned, model: m}]",
        {},
        "nor 'local:' and more",
    ),
    "a word for a number or auto": ("local: {threads: hunter2}", {}, "local.threads: must be a whole number or auto"),
    "half an answer at once": ("local: {parallel: 1.5}", {}, "local.parallel: must be a whole number or auto"),
    "a language by its name": ("local: {languages: [en, english]}", {}, "a language is its ISO code of two letters"),
    "a language of a backend with its country": (
        "backends: [{name: a, zone: remote, wire: canned, model: m, languages: [en-US]}]",
        {},
        "a language is its ISO code of two letters",
    ),
    "no threads": ("local: {threads: 0}", {}, "local.threads: must be greater than or equal to 1"),
    "more threads than there are anywhere": ("local: {threads: 513}", {}, "local.threads: must be less than"),
    "answers to nobody": ("", {"GATEWAY_LOCAL__PARALLEL": "0"}, "local.parallel: must be greater than or"),
    "an adapter without a path": ("local: {adapters: [{name: a}]}", {}, "local.adapters[1].path: is missing"),
    "an adapter with a name no client could say": (
        "local: {adapters: [{name: 'a:b', path: a.gguf}]}",
        {},
        "an adapter's name is",
    ),
    "an adapter of the bare model's name": ("local: {adapters: [{name: none, path: a.gguf}]}", {}, "not 'none'"),
    "two adapters of one name": (
        "local: {adapters: [{name: a, path: a.gguf}, {name: a, path: b.gguf}]}",
        {},
        "two of local.adapters are named 'a'",
    ),
    "an adapter that says nothing": ("local: {adapters: [{name: a, path: a, scale: 0}]}", {}, "changes nothing"),
    "an adapter without end": ("local: {adapters: [{name: a, path: a, scale: .inf}]}", {}, "local.adapters[1].scale"),
    "an adapter with half a digest": ("local: {adapters: [{name: a, path: a, sha256: abc}]}", {}, "sha256"),
    "an odd name": ("backends: [{name: 'a b', zone: remote, wire: canned, model: m}]", {}, "a backend's name is"),
    "no address": ("backends: [{name: a, zone: remote, model: m}]", {}, "wire openai needs a base_url"),
    "litellm in the house": ("backends: [{name: a, zone: private, wire: litellm, model: m}]", {}, "needs wire openai"),
    "no such zone": ("backends: [{name: a, zone: local, wire: canned, model: m}]", {}, "'private' or 'remote'"),
}


@pytest.mark.parametrize(("text", "env", "says"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_one_sentence_that_names_its_place_and_no_value(
    load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, env: dict[str, str], says: str
) -> None:
    for name, content in env.items():
        monkeypatch.setenv(name, content)
    with pytest.raises(ConfigurationError) as raised:
        load(text)
    told = str(raised.value).replace(f"{tmp_path}/", "")
    assert says in told
    assert "\n" not in told
    assert "hunter2" not in told


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"gone\.yaml: cannot be read"):
        load_settings(tmp_path / "gone.yaml")


# ── Where files lie ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_relative_paths_start_at_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "etc"
    (home / "policies").mkdir(parents=True)
    (home / "mine.yaml").write_text("name: mine")
    (home / "gateway.yaml").write_text("policy: {path: mine.yaml}\naudit: {dir: log/audit}\ndetect: {cache_dir: packs}")
    monkeypatch.chdir(tmp_path)
    settings, folder = load_settings(Path("etc/gateway.yaml"))
    where = places(settings, folder)
    assert (where.policy, where.audit) == (home / "mine.yaml", home / "log" / "audit")
    assert (where.keys, where.packs) == (home / "log" / "keys", home / "packs")


def test_a_shipped_policy_is_found_by_its_name_unless_one_lies_in_the_folder(tmp_path: Path) -> None:
    assert find_policy(Path("policies/strict.yaml"), tmp_path) == shipped_policies() / "strict.yaml"
    assert find_policy(Path("strict.yaml"), tmp_path) == shipped_policies() / "strict.yaml"
    (tmp_path / "strict.yaml").write_text("name: mine")
    assert find_policy(Path("strict.yaml"), tmp_path) == tmp_path / "strict.yaml"
    for other in ("gone.yaml", "other/strict.yaml", "../policies/strict.yaml"):
        with pytest.raises(ConfigurationError, match="there is no policy file"):
            find_policy(Path(other), tmp_path)


def test_an_installed_gateway_finds_the_policies_beside_its_code(tmp_path: Path) -> None:
    """Laid out as the wheel lays it out: the package alone, with the policies under `shipped`."""
    root = Path(__file__).parents[2]
    shutil.copytree(root / "gateway", tmp_path / "site" / "gateway", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(root / "policies", tmp_path / "site" / "gateway" / "shipped" / "policies")
    code = (
        "from pathlib import Path; from gateway.wiring import find_policy; "
        "print(find_policy(Path('earned.yaml'), Path('.')))"
    )
    result = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
    )
    assert result.stdout.strip() == str(tmp_path / "site" / "gateway" / "shipped" / "policies" / "earned.yaml")


def test_a_secret_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "cache.key"
    first = secret(path)
    assert len(first) == 32
    assert secret(path) == first
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    path.write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="damaged"):
        secret(path)


# ── Backends and their keys ─────────────────────────────────────────────────────────────────────────────────────────


def test_without_backends_there_is_openai_or_its_stand_in(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load("")
    assert [(backend.name, backend.model) for backend in configured(settings)] == [("large", "gpt-4.1")]
    assert build_remotes(settings, tmp_path).stand_ins == ("large",)
    monkeypatch.setenv("OPENAI_API_KEY", "  ")
    assert build_remotes(settings, tmp_path).stand_ins == ("large",)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2")
    built = build_remotes(settings, tmp_path)
    assert (built.stand_ins, built.litellm) == ((), ())
    assert "hunter2" not in repr(built.backends["large"])


def test_no_backend_at_all_can_be_said_too(load: Load, tmp_path: Path) -> None:
    assert build_remotes(load("backends: []"), tmp_path).backends == {}


def test_a_missing_key_is_an_error_where_others_can_call(load: Load, tmp_path: Path) -> None:
    settings = load(f"server: {{host: 0.0.0.0}}\nauth: {KEYS}")
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        build_remotes(settings, tmp_path)


def test_a_key_is_read_from_the_environment_or_a_file_beside_the_configuration(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "backends: [{name: a, zone: remote, base_url: 'https://a/v1', model: m, %s}]"
    (tmp_path / "key").write_text("sk-file\n")
    (from_file,) = load(text % "api_key_file: key").backends or ()
    key = read_key(from_file, tmp_path)
    assert key is not None
    assert key.get_secret_value() == "sk-file"
    assert "sk-file" not in repr(key)
    monkeypatch.setenv("A_KEY", "sk-env")
    (from_env,) = load(text % "api_key_env: A_KEY").backends or ()
    key = read_key(from_env, tmp_path)
    assert key is not None
    assert key.get_secret_value() == "sk-env"
    (gone,) = load(text % "api_key_file: gone").backends or ()
    with pytest.raises(ConfigurationError, match="gone"):
        read_key(gone, tmp_path)


def test_a_backend_that_is_defined_differently_has_another_digest(load: Load, tmp_path: Path) -> None:
    text = "backends: [{name: a, zone: remote, base_url: 'http://127.0.0.1:%d/v1', model: m, languages: [%s]}]"
    digests = [
        build_remotes(load(text % (port, languages)), tmp_path).backends["a"].spec.digest
        for port, languages in ((1, "en, it"), (1, "it, en"), (2, "en, it"))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_a_misspelt_variable_is_refused_and_an_orchestrators_is_not(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_PORT", "tcp://10.0.0.1:8080")
    load("")
    monkeypatch.setenv("GATEWAY_AUTHS__MODE", "keys")
    with pytest.raises(ConfigurationError, match="'GATEWAY_AUTHS__MODE' is no setting"):
        load("")
