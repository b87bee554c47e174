"""What an exit code means, for people: the program's own, a command that isn't there, a signal. Pure."""

from __future__ import annotations

from agent.causes import signal_name, signal_of

SHELL = {
    126: "the command was found but can't be executed",
    127: "there is no such command",
    128: "the process could not be made",
}


def meaning(exit_code: int) -> str:
    """`exit code 137, that of signal 9 (SIGKILL)`."""
    if exit_code == 0:
        return "exit code 0, success"
    if number := signal_of(exit_code):
        return f"exit code {exit_code}, that of {signal_name(number)}"
    if exit_code in SHELL:
        return f"exit code {exit_code}, by which shells mean: {SHELL[exit_code]}"
    return f"exit code {exit_code}, which the program itself chose"
