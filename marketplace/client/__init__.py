"""The Python client for builders, contributors and owners: what a person's own machine does with their own key.

It speaks the marketplace's HTTP API (`api`) and, where a signature is wanted, the chain itself (`canisters.client`). Nothing of
Django is in it, so it installs beside a notebook. `sealing` is the one description of how a dataset's file is encrypted: the browser
and the worker follow it too.
"""
