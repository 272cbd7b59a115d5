"""How often it is right: metrics and reports."""
