"""Measured figures of the project, each deterministic: instruction counts by the network's table, sizes, and ratios within one run.

`python -m tests.benchmarks --out FILE` prints them and writes a list of {name, value, unit, goal, better}. Wall time is not among them: it
tells of the machine."""
