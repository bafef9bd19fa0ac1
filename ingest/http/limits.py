"""Limits on requests, and the requests that they apply to."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

__all__ = ["Limits", "Rule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a kind of request.

    Attributes
    ----------
    body_bytes : int
        Largest body; a larger one is refused by its stated length, or cut where it passes this. [byte]
    body_s : float
        The body must have arrived after this time. [s]
    answer_s : float
        The answer must have been taken by the client after this time, body included. [s]
    at_once : int
        Requests of this kind that are worked on at the same time. [1]
    at_once_each : int
        Of them, those of one visitor, or of one address where nobody has to prove who he is. [1]
    proven : bool
        Whether the visitor must prove who he is before anything of the body is read.
    guessable : bool
        Whether the path itself is a secret: an answer 404 counts as a wrong guess.
    """

    body_bytes: int = 64 * 2**10
    body_s: float = 10.0
    answer_s: float = 60.0
    at_once: int = 64
    at_once_each: int = 16
    proven: bool = True
    guessable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Limits of the requests to some paths; those of one rule share its places.

    Attributes
    ----------
    name : str
        What the log of refusals calls it; never the path, which may be a secret.
    path : re.Pattern
        Matches the whole path.
    methods : collection of str
        Empty for all.
    """

    name: str
    path: re.Pattern[str]
    limits: Limits
    methods: Collection[str] = field(default=())

    def covers(self, method: str, path: str) -> bool:
        """Whether a request is one of them."""
        return (not self.methods or method in self.methods) and self.path.fullmatch(path) is not None
