"""How large and how deep a template may be. Beyond a limit it is refused at upload, naming limit and place."""

import sys
from dataclasses import dataclass

from reporter.limit import passed


@dataclass(frozen=True, slots=True)
class TemplateLimits:
    """``tokens``: words and marks inside tags. ``brackets``, ``blocks``, ``loops``: how deep each may nest.

    Python itself refuses code with more than twenty nested loops, or a hundred levels of indentation.
    """

    tokens: int = 100_000
    brackets: int = 40
    blocks: int = 40
    loops: int = 12
    depth: int = 80
    problems: int = 50


DEFAULT_LIMITS = TemplateLimits()


def nested_too_deeply() -> str:
    """What is said of a template that needs more of Python's stack than there is."""
    advice = "nest it less, and let no macro call itself without end"
    return passed("the template needs", sys.getrecursionlimit(), "calls inside one another", advice)


def too_deep(what: str, most: int) -> str:
    """What is said of what stands too deep inside one another."""
    return passed(f"{what} are nested", most, "deep", "nest them less, or take parts of them into {% set %}")
