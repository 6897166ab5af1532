"""Types of single values: quantities kept as people wrote them, names, labels."""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from shoal.contract import units
from shoal.contract.limits import DEVICE_NAME_CHARS
from shoal.contract.reason import Reason
from shoal.resources.words import refusal

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_KEY = re.compile(r"([a-z0-9][-a-z0-9.]*/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_LABEL_CHARS = 63
MOST_DEVICES = 1_000_000_000  # counts of devices are compared as floats, which must hold them
QUANTITY = "x-quantity"  # what a text measures, in the JSON Schema


def _quantity(parse: Callable[[str], float], example: str) -> BeforeValidator:
    """Text that `parse` understands, kept as it is; a bare number is answered with an example."""

    def check(value: object) -> object:
        if not isinstance(value, str):
            raise refusal(Reason.INVALID, f"{value!r} has no unit", f"write for example {example}")
        try:
            parse(value)
        except ValueError as error:
            raise refusal(Reason.INVALID, str(error)) from None
        return value

    return BeforeValidator(check)


def _share_or_count(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise refusal(Reason.INVALID, f"{value} is negative", "write for example 3 or 10%")
        if value > MOST_DEVICES:
            raise refusal(
                Reason.INVALID, f"a count is at most {MOST_DEVICES}", "write 100% for all"
            )
        return value
    if not isinstance(value, str):
        raise refusal(
            Reason.INVALID, f"{value!r} is neither a count nor a percent", "write 3 or 10%"
        )
    try:
        units.parse_percent(value)
    except ValueError as error:
        raise refusal(Reason.INVALID, str(error)) from None
    return value


def _matching(pattern: re.Pattern[str], limit: int, what: str) -> AfterValidator:
    def check(value: str) -> str:
        if len(value) > limit or not pattern.fullmatch(value):
            raise refusal(Reason.INVALID, f"{value!r} is not {what} of at most {limit} characters")
        return value

    return AfterValidator(check)


def _text(value: object) -> object:
    if isinstance(value, bool | int | float):
        raise refusal(
            Reason.INVALID,
            f"{value!r} is not text",
            f'put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"',
        )
    return value


def _written(quantity: str, units_pattern: str) -> Any:
    """What the schema says of a quantity: its name, and how it is written."""
    pattern = rf"^\s*[0-9]+(\.[0-9]+)?\s*({units_pattern})\s*$"
    return Field(json_schema_extra={QUANTITY: quantity, "pattern": pattern})


def _shaped(pattern: re.Pattern[str], limit: int) -> Any:
    """What the schema says of a text with a pattern; the refusal is `_matching`'s own."""
    return Field(json_schema_extra={"pattern": f"^({pattern.pattern})$", "maxLength": limit})


Duration = Annotated[
    str, _quantity(units.parse_duration_s, "30s"), _written("duration", "ms|s|m|h|d")
]
Size = Annotated[
    str, _quantity(units.parse_size_bytes, "64KiB"), _written("size", "B|KB|MB|GB|KiB|MiB|GiB")
]
Percent = Annotated[str, _quantity(units.parse_percent, "10%"), _written("percent", "%")]
ShareOrCount = Annotated[int | str, BeforeValidator(_share_or_count)]

Name = Annotated[
    str,
    _matching(_NAME, DEVICE_NAME_CHARS, "a name of lower-case letters, digits and inner hyphens"),
    _shaped(_NAME, DEVICE_NAME_CHARS),
]
LabelKey = Annotated[
    str, _matching(_LABEL_KEY, 2 * _LABEL_CHARS, "a label key such as app or team.example/site")
]
LabelValue = Annotated[
    str,
    BeforeValidator(_text),
    _matching(_LABEL_VALUE, _LABEL_CHARS, "a label value of letters, digits and inner . _ -"),
    _shaped(_LABEL_VALUE, _LABEL_CHARS),
]
Labels = dict[LabelKey, LabelValue]
JSONObject = dict[str, Any]
