"""The crash harness: a worker that dies at every fault point, singly and in pairs, and what must hold after it recovered."""
