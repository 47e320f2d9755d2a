"""Every operator, and what is composed of them, against slow and obvious references."""

from __future__ import annotations

from typing import Any

from hypothesis import given, note
from hypothesis import strategies as st

from reactor.core.trigger.expression import Trigger
from tests.unit.core.depth import examples
from tests.unit.core.reference.expressions import deep, flat, keyed, unkeyed
from tests.unit.core.reference.history import HISTORIES, Writer, expected, lived
from tests.unit.core.reference.meaning import is_held_back


def agrees(trigger: Trigger, history: Any, steps: bool) -> None:
    note(str(trigger))
    # What is held back in the time of the clock while the sensors catch up with event time may
    # come after what it belongs to was let go of: only of what comes promptly is the lag known.
    writer = Writer(prompt=is_held_back(trigger))
    live = lived(trigger, writer.turns(history), steps)
    assert live.heard == expected(trigger, live.turns)


@examples(60)
@given(flat(), st.booleans(), HISTORIES, st.booleans())
def test_an_operator_fires_as_its_reference_does(
    trigger: Trigger, key: bool, history: Any, steps: bool
) -> None:
    agrees(keyed(trigger, key), history, steps)


@examples(60)
@given(deep(), st.booleans(), HISTORIES, st.booleans())
def test_operators_on_operators_fire_as_their_references_do(
    trigger: Trigger, key: bool, history: Any, steps: bool
) -> None:
    agrees(keyed(trigger, key), history, steps)


@examples(30)
@given(unkeyed(), HISTORIES, st.booleans())
def test_what_lets_go_of_a_key_goes_on_as_its_reference_does(
    trigger: Trigger, history: Any, steps: bool
) -> None:
    agrees(trigger, history, steps)
