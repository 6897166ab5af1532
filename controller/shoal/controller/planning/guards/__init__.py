"""The guards of a rollout, one module for each reason to change; the planner holds their order."""
