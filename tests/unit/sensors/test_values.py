"""What holds for the value of every kind of sensor."""

from dataclasses import fields
from typing import Any

import pytest

from reactor.core.trigger.expression import Source
from sensors import FileArrivals, KafkaTopic, Schedule, SchemaChanges, SchemaRegistry, Webhook


@pytest.mark.parametrize(
    "kind", [FileArrivals, KafkaTopic, Schedule, SchemaChanges, SchemaRegistry, Webhook]
)
def test_no_field_of_a_sensor_hides_an_operator(kind: Any) -> None:
    operators = {name for name in dir(Source) if callable(getattr(Source, name))}
    assert {"where", "complete", "unless"} <= operators
    assert not operators & {field.name for field in fields(kind)}
