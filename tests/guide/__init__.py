"""The implementation guide's mapping tables as requirements, and what became of each row."""
