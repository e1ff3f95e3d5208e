"""The server's speed: a real server process on a real socket, with a reasoner that takes no time, and a lean client."""
