"""The embedded Internet Computer: real canister wasm behind the real System API, the real HTTP interface, real certificates, one node.

A request comes in by `http`, `ingress` and `access` decide whether it may; `scheduler` puts it into a block, `executor` carries it out (with
`engine`, which runs one message of one canister, or with `builtin` canisters: `management` and `cycles`), `store` writes the block,
`certification` signs it; `reader` answers queries beside. `state` is everything the network knows. For development, tests and pilots:
one node gives no decentralisation."""
