"""The engine: one direction, from an accepted input to its stop reason. The rooms in the middle meet here and nowhere else.

To read a run from top to bottom: `runtime` (what a front calls), `accept`, `worker` (claims), `carry`, `begin`, `step`
(`window` compiles, `reason` asks, `act` runs the calls and leaves `effects`, `drafts` draws up what `persist` stores),
`compact` when the window fills, and `follow` for those who watch. Beside the run: `recall`, `indexer`, `memory`, `apply`.
"""
