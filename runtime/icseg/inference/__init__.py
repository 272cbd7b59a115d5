"""Engines behind one verb: named arrays in, named arrays out."""
