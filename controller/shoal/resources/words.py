"""Closed sets of words in manifests: what is built, what is known but not built yet, what is near.

A word that Shoal will know later is refused by name, so that nobody mistakes it for a misspelling;
any other word is answered with the nearest right one.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

from shoal.contract.reason import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The words that one field may hold; `later` are refused with reason NotBuiltYet."""

    what: str
    built: tuple[str, ...]
    later: tuple[str, ...] = ()
    unknown: Reason = Reason.INVALID

    def check(self, word: str) -> str:
        """`word`, if it is built.

        Raises:
            PydanticCustomError: it is not; its type is the reason code.
        """
        if word in self.built:
            return word
        if word in self.later:
            message = f"{self.what} {word} is not built yet"
            raise refusal(Reason.NOT_BUILT_YET, message, f"use one of {', '.join(self.built)}")
        raise refusal(
            self.unknown,
            f"{word!r} is not {_article(self.what)} {self.what}",
            suggestion(word, (*self.built, *self.later)),
        )


def refusal(reason: Reason, message: str, hint: str = "") -> PydanticCustomError:
    """An error that keeps its reason and hint through pydantic, whatever braces are in the text."""
    return PydanticCustomError(
        reason.value,
        "{message}",
        {"message": message, "hint": hint},
    )


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` most likely stands for, if any is near."""
    by_case = {one.lower(): one for one in known}
    found = difflib.get_close_matches(word.lower(), by_case, n=1, cutoff=0.6)
    return by_case[found[0]] if found else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """What to try instead: the nearest word, or all of them."""
    known = tuple(known)
    near = nearest(word, known)
    return f"did you mean {near}?" if near else f"choose one of {', '.join(known)}"


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
