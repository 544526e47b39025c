"""The chain, as the marketplace sees it: its clients, and an index over the logs of its canisters that can be thrown away and made again."""
