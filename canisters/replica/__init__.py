"""The embedded Internet Computer: real canister wasm behind the real System API, the real HTTP interface, real certificates, one node.

`engine` executes one message of one canister; `state` is everything the network knows, `scheduler` decides what runs, `management` is the
management canister, `certification` signs, `ingress` decides what may enter, `http` is the door. For development, tests and pilots: one
node gives no decentralisation."""
