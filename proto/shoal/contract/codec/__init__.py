"""Contract values to and from the generated messages of `shoal.v1`: one pair a message.

Decoding refuses what no honest peer sends (unknown enum values, malformed digests, numbers that are
not finite, lists over their limit) with a ValueError that starts with the field. Text for people is
cut to its limit on both sides instead: a long error must never cost a whole report.
"""

from shoal.contract.codec.checks import parse
from shoal.contract.codec.desired import decode_desired, encode_desired
from shoal.contract.codec.enrolment import (
    decode_enrol_request,
    decode_enrol_response,
    encode_enrol_request,
    encode_enrol_response,
)
from shoal.contract.codec.hardware import decode_hardware, encode_hardware
from shoal.contract.codec.report import decode_report, encode_report
from shoal.contract.codec.telemetry import decode_telemetry, encode_telemetry

__all__ = [
    "decode_desired",
    "decode_enrol_request",
    "decode_enrol_response",
    "decode_hardware",
    "decode_report",
    "decode_telemetry",
    "encode_desired",
    "encode_enrol_request",
    "encode_enrol_response",
    "encode_hardware",
    "encode_report",
    "encode_telemetry",
    "parse",
]
