"""The detector's way to a target: things, belief, questions; milliseconds, no language model."""
