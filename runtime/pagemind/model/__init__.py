"""The models' edge."""
