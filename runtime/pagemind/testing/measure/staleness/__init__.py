"""What `pagemind bench-staleness` measures: whether a model answers with the newest fact, though its snapshot is older."""
