"""A built policy: what it says about itself, and the process that serves it."""
