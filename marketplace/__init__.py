"""The web application: the index over the chain, the HTTP API, uploads and jobs. Trusted with nothing."""
