"""The wire that OpenAI's clients speak."""
