"""Runs that once broke a law: a seed and what happened. None is ever taken out."""

from tests.simulation.harness.actions import Action

RUNS: tuple[tuple[int, tuple[Action, ...]], ...] = ()
