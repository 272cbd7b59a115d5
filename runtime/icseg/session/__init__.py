"""The main path: frames and words in, events out."""
