"""Memory policy: pure, values in and a plan out."""
