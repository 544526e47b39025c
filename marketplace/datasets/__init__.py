"""Datasets: what their owners registered and allow, as the registry's log has it, and the sealed files and keys that come with them."""
