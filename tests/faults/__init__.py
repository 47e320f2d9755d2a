"""The service as a real process, killed, stopped and restarted under load."""
