"""What bench.gates plays to the gates: simulated devices, the production verdicts, naive rivals."""
