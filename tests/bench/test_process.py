"""What other programs take of the machine shows in the machine's own count."""

from __future__ import annotations

import time

from bench.process import machine_busy_s


def test_the_machines_count_grows_by_what_a_program_uses() -> None:
    before, own = machine_busy_s(), time.process_time()
    while time.process_time() - own < 0.2:
        pass
    assert machine_busy_s() - before >= 0.15
