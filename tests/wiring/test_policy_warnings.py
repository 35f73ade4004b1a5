"""What may not mean what its author thinks is said where an operator looks: in the log and in `/readyz`."""

from __future__ import annotations

from pathlib import Path

from tests.support.serving import serving
from tests.support.waiting import wait_for


def test_warnings_are_logged_at_start_and_at_reload_and_stand_in_readyz(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(
        "name: mine\npermit: [{name: out, zone: remote, when: {sensitivity: {at_most: internal}}, to: [large, gone]}]\n"
    )
    config = {"policy": {"path": "policy.yaml", "watch_s": 0.05}}
    with serving(tmp_path, config, env={"GATEWAY_LOCAL": "canned"}) as gateway:
        first = gateway.get("/readyz").json()["parts"]["policy"]
        assert first["warnings"] == {"count": 1, "sentences": ["permit 'out', to: there is no backend 'gone'"]}
        assert gateway.log().count("policy_warning") == 1
        fresh = tmp_path / "fresh"
        fresh.write_text("name: mine\nforbid: [{name: in, zone: remote, when: {kinds: [e-mail]}}]\n")
        fresh.replace(file)
        wait_for(lambda: "e-mail" in gateway.get("/readyz").text)
        second = gateway.get("/readyz").json()["parts"]["policy"]
        assert second["warnings"]["sentences"] == [
            "forbid 'in': no detector finds kind 'e-mail'; did you mean 'email'?"
        ]
        wait_for(lambda: "forbid 'in': no detector finds kind 'e-mail'" in gateway.log())
