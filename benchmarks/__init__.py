"""What `make bench` runs: latencies, throughput beside a floor, standing by, a race of engines."""
