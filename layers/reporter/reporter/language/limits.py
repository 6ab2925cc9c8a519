"""How large and how deep a template may be. Beyond a limit it is refused at upload, naming limit and place."""

from dataclasses import dataclass


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
