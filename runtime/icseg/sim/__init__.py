"""A simulated table: camera, things, exact masks, and a person who answers questions."""
