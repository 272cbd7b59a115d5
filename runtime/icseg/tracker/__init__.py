"""SAM 2's video algorithm over exported graphs, with a memory of fixed capacity."""
