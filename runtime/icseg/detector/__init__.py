"""What sees things: boxes with a kind and a colour, each with its probability."""
