"""Benchmarks: `python -m bench.NAME -o json`; ours and a peer, interleaved in one run."""
