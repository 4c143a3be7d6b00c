"""Measuring: scenarios, baselines, runs and reports (`python -m benchmarks`), promises in figures, and a micro suite."""
