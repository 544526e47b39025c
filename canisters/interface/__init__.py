"""What both ends of the wire speak: principals, Candid, CBOR, request ids, keys and signatures, hash trees, certificates.

Each module follows one section of the Internet Computer Interface Specification. Pure functions over bytes: no network, no state, no
clock of its own. The client reads what the replica writes with the same code, and outside clients judge both."""
