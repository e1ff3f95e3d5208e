"""What `pagemind bench-prefix` measures: how much of each prompt a real vLLM has in its prefix cache, and what that takes."""
