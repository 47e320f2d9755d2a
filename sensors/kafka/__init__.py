"""Kafka topics as a source of events.

The topic is a value (topic.py); reading it is aiokafka's `getmany` with explicit assignment, from
positions that are ours (position.py, resume.py): no group membership, no automatic commit.
"""

from sensors.kafka.topic import KafkaTopic

__all__ = ["KafkaTopic"]
