"""What a check of a schema found, as a sentence for people."""

from collections.abc import Callable, Mapping
from typing import Any

_SHOWN = 60

# By the word that the check has for it; {value} is what was written, the rest the check's limits.
_SENTENCES: Mapping[str, str] = {
    "bool_parsing": "{field} is true or false, not {value}",
    "bool_type": "{field} is true or false, not {value}",
    "dict_type": "{field} is an object, not {value}",
    "finite_number": "{field} is a number that ends, not {value}",
    "float_parsing": "{field} is a number, not {value}",
    "float_type": "{field} is a number, not {value}",
    "greater_than": "{field} is more than {gt:g}, not {value}",
    "greater_than_equal": "{field} is at least {ge:g}, not {value}",
    "int_from_float": "{field} is a whole number, not {value}",
    "int_parsing": "{field} is a whole number, not {value}",
    "int_parsing_size": "{field} has too many digits",
    "int_type": "{field} is a whole number, not {value}",
    "less_than": "{field} is less than {lt:g}, not {value}",
    "less_than_equal": "{field} is at most {le:g}, not {value}",
    "list_type": "{field} is a list, not {value}",
    "literal_error": "{field} is {expected}, not {value}",
    "missing": "{field} is required",
    "model_attributes_type": "{field} is an object, not {value}",
    "model_type": "{field} is an object, not {value}",
    "string_too_long": "{field} is at most {max_length} characters long",
    "string_too_short": "{field} is at least {min_length} characters long",
    "string_type": "{field} is text, not {value}",
}


def sentence(field: str, error: Mapping[str, Any]) -> str:
    """What is wrong with `field`, by one error of pydantic."""
    kind, limits = error["type"], error.get("ctx") or {}
    if kind in _COUNTED:
        return f"{field} {_COUNTED[kind](limits)}"
    told = _SENTENCES.get(kind)
    value = shown(error.get("input"))
    if told is None:
        return f"{field}: {error['msg']}, not {value}"
    return told.format(**limits, field=field, value=value)


def shown(value: object) -> str:
    """`value` as people wrote it, cut where it is long."""
    text = _WORDS.get(value, "") if isinstance(value, bool | None) else ""
    text = text or repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _too_few(limits: Mapping[str, Any]) -> str:
    return f"needs at least {_entries(limits['min_length'])}, but has {limits['actual_length']}"


def _too_many(limits: Mapping[str, Any]) -> str:
    # Of a mapping the check does not count what is beyond the limit.
    count = limits["actual_length"]
    has = f"has {count}" if isinstance(count, int) else "has more"
    return f"takes at most {_entries(limits['max_length'])}, but {has}"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


_COUNTED: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "too_long": _too_many,
    "too_short": _too_few,
}
_WORDS: Mapping[bool | None, str] = {None: "null", True: "true", False: "false"}
