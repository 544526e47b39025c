"""Measured figures of the project: instruction counts by the network's table and sizes, which are the same on every machine, and wall time
only as a ratio of two things that ran in turn in one process.

`python -m tests.benchmarks [--out FILE] [--only PREFIX]` prints them and writes a list of {name, value, unit, goal, better}. Each module here
is a group of figures (`registry.py`); `python -m tests.benchmarks.table` writes them into docs/performance.md."""
