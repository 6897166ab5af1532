"""The statistics of gates: pure functions from counts to always-valid intervals and verdicts.

Three pieces of mathematics: `engine` compares devices (each has one vote), `golden` counts distinct
inputs, `incidents` orders first incidents. `effects` turns what one device counted into its one
number. None knows what a rollout is, and none has a clock.
"""
