"""A record whose times are none of the future.

A leader's clock may be set back, or the next leader's may lie behind. What was stamped before would
then wait for that time to come again: a soak, a deadline or a device's time limit, for an hour and
more. Its time runs from now instead.
"""

from dataclasses import replace

from shoal.controller.domain.rollout import Progress, RolloutRecord


def caught_up(record: RolloutRecord, now: float) -> RolloutRecord:
    """The record with what is stamped later than `now` stamped now; itself where nothing is."""
    if record.progress.at > now:
        record = replace(record, progress=Progress(mark=record.progress.mark, at=now))
    if record.paused_at is not None and record.paused_at > now:
        record = replace(record, paused_at=now)
    if any(one.at > now for one in record.bursts):
        bursts = tuple(replace(one, at=min(one.at, now)) for one in record.bursts)
        record = replace(record, bursts=bursts)
    for one in record.cohorts:
        if one.finished_at is not None and one.finished_at > now:
            record = record.with_cohort(replace(one, finished_at=now))
    if any(one.since > now for one in record.devices):
        record = record.map_devices(lambda one: replace(one, since=min(one.since, now)))
    return record
