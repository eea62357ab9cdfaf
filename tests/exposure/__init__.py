"""What the connector shows to the outside and takes from there."""
