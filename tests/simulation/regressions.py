"""Runs that once broke a law: a seed and what happened. None is ever taken out."""

from shoal.controller.domain.rollout import Verb
from shoal.lab.simulation.actions import (
    Action,
    Ask,
    CrashController,
    CrashDevice,
    CutDevice,
    EditSpec,
    KillEngine,
    Publish,
    Wait,
)
from shoal.lab.simulation.models import Nature

RUNS: tuple[tuple[int, tuple[Action, ...]], ...] = (
    # Devices that never got up used up maxUnavailable, and no fix could reach anybody.
    (
        109,
        (
            Publish(Nature.BROKEN),
            KillEngine(4),
            Wait(0.2),
            Publish(Nature.BROKEN),
            Ask(Verb.RETRY),
            Wait(1.0),
            KillEngine(4),
            Ask(Verb.PROMOTE),
            Wait(3.0),
            CutDevice(4, 5.0),
            Wait(40.2),
            EditSpec(5),
        ),
    ),
    # A lost canary of a superseded first revision kept it while another one was told the next.
    (
        5012,
        (
            Wait(3.0),
            CutDevice(4, 60.0),
            CrashController(60.0),
            Wait(0.2),
            CutDevice(1, 60.0),
            Wait(1.0),
            Publish(Nature.GOOD),
        ),
    ),
    # Devices that keep an aborted first revision were counted as if they could still be moved.
    (
        20225,
        (
            CrashDevice(3, 0.5),
            CutDevice(2, 60.0),
            Wait(10.0),
            CutDevice(3, 60.0),
            Ask(Verb.PAUSE),
            Ask(Verb.ABORT),
            KillEngine(1),
            KillEngine(4),
            EditSpec(1),
            Wait(3.2),
            CrashController(0.5),
            CrashController(5.0),
            CrashDevice(4, 60.0),
            Wait(1.0),
            KillEngine(3),
            Publish(Nature.BROKEN),
            KillEngine(4),
            EditSpec(5),
            Ask(Verb.PROMOTE, follow=True),
            Wait(13.0),
        ),
    ),
    # A cohort fell, and another device than the one that refused became its canary.
    (
        9134,
        (
            Wait(10.0),
            CrashDevice(0, 5.0),
            Wait(3.0),
            EditSpec(5),
            CrashDevice(2, 0.5),
            Wait(20.0),
            CutDevice(3, 60.0),
            EditSpec(3),
            KillEngine(1),
            KillEngine(1),
            Wait(40.0),
            Ask(Verb.RESUME),
            KillEngine(3),
            Wait(1.0),
            CrashController(60.0),
            CrashDevice(0, 0.5),
            Publish(Nature.HEAVY),
        ),
    ),
)

# Runs of scenarios that once broke a law: the scenario, the seed, and what happened.
TALES: tuple[tuple[str, int, tuple[Action, ...]], ...] = (
    # What a promote waived counted under the next revision too: nobody was told it, and it held.
    (
        "operators",
        115,
        (
            Wait(3.0),
            CutDevice(12, 60.0),
            Wait(0.2),
            Ask(Verb.PROMOTE),
            Wait(0.2),
            Ask(Verb.PAUSE),
            Wait(0.2),
            Publish(Nature.GOOD),
        ),
    ),
    # A rollback gave all of a cohort a variant of which that cohort's canary had not passed yet.
    (
        "faults",
        228,
        (
            Wait(0.2),
            CrashController(0.5),
            Wait(0.2),
            CrashController(60.0),
            Wait(3.0),
            CutDevice(1, 0.5),
            Wait(8.0),
            Publish(Nature.BROKEN),
            Wait(3.0),
            CutDevice(17, 0.5),
            Wait(3.0),
            KillEngine(16),
            Wait(1.0),
            KillEngine(2),
        ),
    ),
    # A bad variant passed where its canary ran another bad one, which it was measured by.
    (
        "storm",
        405,
        (
            Wait(1.0),
            Publish(Nature.WRONG),
            Wait(0.2),
            EditSpec(1),
            Wait(1.0),
            CutDevice(18, 0.5),
            Wait(3.0),
            Publish(Nature.WRONG),
            Wait(0.2),
            Publish(Nature.HEAVY),
            Wait(3.0),
            Publish(Nature.WRONG),
        ),
    ),
    (
        "operators",
        403,
        (
            Wait(1.0),
            Ask(Verb.PROMOTE),
            Wait(0.2),
            Ask(Verb.RESUME, follow=True),
            Wait(1.0),
            Publish(Nature.WRONG),
            Wait(1.0),
            CutDevice(5, 0.5),
            Wait(3.0),
            Ask(Verb.RESUME, follow=True),
            Wait(0.2),
            Ask(Verb.PAUSE),
            Wait(3.0),
            Ask(Verb.UNDO, follow=True),
            Wait(1.0),
            Ask(Verb.RETRY),
        ),
    ),
)
