"""The agent's decisions: pure, without asyncio and without IO.

To drive them (the executor in `update/`, a simulation):

    context, effects = saved.resume(what_was_saved, now)    # or Context(), () on a first start
    context, effects = machine.step(context, event, now)    # for every event

After each step, in this order: make `saved.save(context)` durable, then run the effects. Each
effect with a ticket is answered by one event with that ticket, at any later time, or never after a
crash: `effects.py` names the answer of each. `Collect` runs at once and leaves what
`lives.referenced(context)` names; `Cancel` stops the effect with that ticket. A new engine process
starts with empty slots: feed `EngineExited` when the old one ended. Reports are
`reports.device_report(context, …)`; feed `Acknowledged` when one with golden answers was stored.
"""
