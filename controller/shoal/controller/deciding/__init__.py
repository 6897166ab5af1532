"""What the planner would decide, why it decided, and proof that it decides the same again.

Everything here asks the planner's own functions; nothing here decides. Pure, as planning is.
"""
