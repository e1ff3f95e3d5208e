"""The HTTP edge: the REST API that Letta's clients speak, OpenAI's endpoints, health and metrics. Routes translate, no more."""
