"""The agent's deeds: runs the effects of the core through the ports, durably."""
