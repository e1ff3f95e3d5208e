"""What `pagemind bench` measures: the runtime's own time, its round trips, its start, its memory."""
