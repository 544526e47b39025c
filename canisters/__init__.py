"""What runs on the Internet Computer, what builds it, what hosts it locally, and the Python client to it.

Nothing here knows Django or torch. `interface` is the wire's grammar, shared by `client` and `replica`, which know nothing of each
other; `compiler` turns ONNX into wasm; `motoko` and `inference` are sources of canisters, `candid` their committed contracts."""
