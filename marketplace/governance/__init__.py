"""Models and their owners: cooperatives, proposals, votes, paid calls; and the task that brings adopted releases their chunks."""
