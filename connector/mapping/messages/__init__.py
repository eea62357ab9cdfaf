"""What spans segments: which of them speak of which resources, and in what order they are written."""
