"""From a command to a target: ask, choose a keyframe, answer."""
