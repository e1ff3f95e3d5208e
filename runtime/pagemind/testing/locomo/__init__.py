"""A trial on a long conversation of two people: feed it to an agent turn by turn, then ask what was said."""
