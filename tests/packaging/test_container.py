"""Dockerfile and compose.yaml, as far as they can be checked without running them."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import load_settings

SERVICES = ["gateway", "valkey", "pool"]
CONFIGURATIONS = ["deploy/gateway.yaml", "deploy/gateway-pool.yaml"]


@pytest.fixture(scope="module")
def compose(root: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load((root / "compose.yaml").read_text())
    return parsed


def instructions(root: Path) -> list[str]:
    """The Dockerfile's instructions, continued lines joined and comments dropped."""
    lines = [line for line in (root / "Dockerfile").read_text().splitlines() if not line.strip().startswith("#")]
    return [line for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


def test_compose_has_the_gateway_the_cache_and_a_pool_behind_its_profile(compose: dict[str, Any]) -> None:
    assert list(compose["services"]) == SERVICES
    assert [name for name, service in compose["services"].items() if "profiles" in service] == ["pool"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_watched_and_cannot_gain_rights_or_change_its_own_files(
    compose: dict[str, Any], name: str
) -> None:
    service = compose["services"][name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["read_only"] is True
    assert "no-new-privileges:true" in service["security_opt"]


@pytest.mark.parametrize("name", ["valkey", "pool"])
def test_models_and_cache_have_no_way_out_and_no_port_outside(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    assert all(compose["networks"][network]["internal"] is True for network in service["networks"])
    assert "ports" not in service


def test_the_gateway_is_reached_from_this_machine_alone(compose: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in compose["services"]["gateway"]["ports"])


def test_audit_log_and_keys_lie_on_volumes_of_their_own(compose: dict[str, Any], root: Path) -> None:
    mounts = [mount.split(":") for mount in compose["services"]["gateway"]["volumes"]]
    volumes = {target: source for source, target, *_ in mounts}
    audit, keys = "/var/lib/slm-gateway/audit", "/var/lib/slm-gateway/keys"
    assert {volumes[audit], volumes[keys]} <= set(compose["volumes"])
    assert volumes[audit] != volumes[keys]
    assert volumes["/var/lib/slm-gateway"] in compose["volumes"]  # what calibrate, assess and shadows write beside it
    assert compose["services"]["valkey"]["volumes"][0].split(":")[0] in compose["volumes"]
    for configuration in CONFIGURATIONS:
        settings, _ = load_settings(root / configuration)
        assert (str(settings.audit.dir), str(settings.audit.keys_dir)) == (audit, keys)


def test_commands_in_the_container_find_its_configuration_and_may_write_beside_the_log(
    compose: dict[str, Any], root: Path
) -> None:
    (config,) = compose["services"]["gateway"]["configs"]
    assert [line for line in instructions(root) if line.startswith("WORKDIR")][-1].split()[1] == str(
        Path(config["target"]).parent
    )
    assert Path(config["target"]).name == "gateway.yaml"  # the name that commands look for
    (owned,) = [line for line in instructions(root) if "install -d -o gateway" in line]
    assert {"/var/lib/slm-gateway", "/var/lib/slm-gateway/audit", "/var/lib/slm-gateway/keys"} <= set(owned.split())


def test_no_secret_stands_in_the_files(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            assert value == f"${{{name}:-}}"


def test_the_backends_of_the_shipped_configurations_are_services_or_remote(compose: dict[str, Any], root: Path) -> None:
    for configuration in CONFIGURATIONS:
        settings, _ = load_settings(root / configuration)
        for backend in settings.backends or ():
            host = re.sub(r"^https?://([^:/]+).*", r"\1", backend.base_url or "")
            assert (backend.zone == "private") == (host in compose["services"])
        assert settings.cache.url.startswith("redis://valkey:")
        assert settings.auth.mode == "keys"


def test_the_mounted_policy_is_one_that_exists(compose: dict[str, Any], root: Path) -> None:
    assert "./policies:/etc/slm-gateway/policies:ro" in compose["services"]["gateway"]["volumes"]
    (config,) = compose["services"]["gateway"]["configs"]
    assert Path(config["target"]).parent == Path("/etc/slm-gateway")
    for configuration in CONFIGURATIONS:
        settings, _ = load_settings(root / configuration)
        assert (root / settings.policy.path).is_file()


def test_what_the_image_copies_exists_and_is_sent_to_the_builder(root: Path) -> None:
    sent = [line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [line.split()[1:-1] for line in instructions(root) if line.startswith("COPY") and "--from" not in line]
    for source in [source for sources in copied for source in sources]:
        assert (root / source).exists(), source
        assert any(fnmatch(source, pattern) or pattern.startswith(f"{source}/") for pattern in sent), source


def test_the_image_installs_nothing_whose_hash_it_does_not_know(root: Path) -> None:
    installs = re.findall(r"pip install[^&\n]*", "\n".join(instructions(root)))
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or ("--no-deps" in install and "--no-build-isolation" in install)


def test_the_image_runs_as_nobody_special_and_says_when_it_is_ready(root: Path) -> None:
    final = instructions(root)
    final = final[max(number for number, line in enumerate(final) if line.startswith("FROM")) :]
    (user,) = [line for line in final if line.startswith("USER")]
    assert user.split()[1].split(":")[0] not in {"0", "root"}
    (health,) = [line for line in final if line.startswith("HEALTHCHECK")]
    assert json.loads(health[health.index("[") :])[0] == "python"
    assert "/readyz" in health
    assert "EXPOSE 8080" in final
