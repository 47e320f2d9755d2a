"""What `make bench` runs: latencies, throughput beside a floor, standing by, and a race of engines."""
