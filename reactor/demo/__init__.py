"""`reactor demo`: a pipeline on real data, and what feeds it with real events."""
