"""What the connector costs, beside what it is compared with: ``python -m benchmarks`` (``make bench``)."""
