"""A fleet in one process: production planner, passes, store and agent core; only ports are fakes.

    simulation = Simulation(seed=7)
    simulation.apply(Publish(nature=Nature.WRONG), Wait(seconds=30.0))
    simulation.calm()           # faults stop, and everything must come to rest

Time, network, disk, engine and chance are fakes under one seed: a run repeats exactly. The laws in
`laws.py` are asked after every step.
"""
