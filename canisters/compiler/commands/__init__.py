"""The verbs of `python -m canisters.compiler`, one a file: `add` says what a verb takes, `run` does it and returns the exit code."""
