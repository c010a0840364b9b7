"""Waits for conditions, for whatever story."""

import time

GENEROUS = 300.0


class Failure(Exception):
    """Something did not come about, or not in time."""


def until(what, condition, patience=GENEROUS, pause=0.05):
    """The first result of `condition` that is true."""
    deadline = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {patience:.0f} s (last: {found!r})")
        time.sleep(pause)
