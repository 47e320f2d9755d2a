"""The face of the service on one port: page, API, live stream, webhooks, metrics, health."""
