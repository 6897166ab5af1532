"""The asyncio shell around the pure planner: reads the store, asks for a plan, carries it out.

Every pass is level-triggered: it looks at everything it needs as it is now and may run at any time,
any number of times. Nothing here decides about rollouts; `shoal.controller.planning` does.
"""
