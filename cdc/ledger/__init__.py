"""The hash tree over a log: its edge, its root, and proofs about them. Pure: no input, no output, no clock."""
