"""Progress: one moving line on a terminal, a line for each tenth in a log."""

from __future__ import annotations

import io

from gateway.setup.screen import Screen


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_for_each_tenth() -> None:
    log = io.StringIO()
    screen = Screen(log)
    for done in range(84):
        screen.progress("Compiling", done, 83)
    assert log.getvalue().splitlines() == [
        f"Compiling {percent} %" for percent in (10, 20, 30, 40, 50, 60, 71, 80, 90, 100)
    ]


def test_a_terminal_gets_one_line_that_moves_and_then_the_next() -> None:
    terminal = Terminal()
    screen = Screen(terminal)
    screen.progress("Compiling", 1, 2)
    screen.progress("Compiling", 2, 2)
    screen.report("done")
    assert terminal.getvalue().count("\n") == 2
    assert terminal.getvalue().endswith("100 % [#########################]\ndone\n")


def test_an_unknown_total_is_no_division_by_zero() -> None:
    Screen(Terminal()).progress("Downloading", 0, 0)
