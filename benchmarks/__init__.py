"""What `make bench` runs: latencies, throughput against a floor, and what it costs to stand by."""
