"""Measuring: answers, scores with intervals, latency ratios and peak memory."""
