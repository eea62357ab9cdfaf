"""What spans segments: which of them together speak of which resources, and in what order they are written."""
