"""The local model server: vLLM in a process and an environment of its own, launched, watched and stopped by the runtime."""
