"""An event-driven reactive data orchestrator: it decides what runs, when, and why."""
