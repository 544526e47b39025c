"""Training jobs: what the chain says of each, how a builder proposes and pays for one, and the worker that carries it out."""
