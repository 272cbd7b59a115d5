"""English words to meaning: commands, answers, stop."""
