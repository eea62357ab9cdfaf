"""Inclusion and consistency proofs, good and bad, in the form of transparency-dev/merkle's testdata."""
