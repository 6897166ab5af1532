"""The rollout planner: a pure function from a snapshot to a plan, and the operator's verbs."""
