"""How far a partition was read, and what that means for a broker that changed meanwhile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensors.kafka.position import NAMELESS, Position, Trouble, judge

ID, OTHER = "eoVecqwiTr-FNjsN1g3N-Q", "AhpfpgAvQESuF3uiymyBmg"

offsets = st.integers(0, 2**63 - 1)
incarnations = st.sampled_from([ID, f"{ID}.2", f"{ID}.17", NAMELESS, f"{NAMELESS}.3"])


@given(incarnations, offsets)
def test_a_position_is_read_as_it_was_written(incarnation: str, offset: int) -> None:
    position = Position(incarnation, offset)
    assert Position.read(str(position)) == position


@pytest.mark.parametrize("text", ["", "12", ":12", f"{ID}:", f"{ID}:-1", f"{ID}:x"])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as error:
        Position.read(text)
    assert repr(text) in str(error.value)


@given(incarnations, offsets, offsets, offsets)
def test_reading_goes_on_exactly_if_the_broker_still_has_the_offset(
    incarnation: str, offset: int, begin: int, end: int
) -> None:
    begin, end = sorted((begin, end))
    stored = Position(incarnation, offset)
    found = judge(stored, None, begin, end)
    if begin <= offset <= end:
        assert found == stored
    else:
        assert isinstance(found, Trouble)
        assert (found.earliest.offset, found.latest.offset) == (begin, end)


def test_a_gap_says_how_much_is_lost_and_stays_in_the_incarnation() -> None:
    found = judge(Position(ID, 5), ID, 12, 20)
    assert isinstance(found, Trouble)
    assert "7 offsets (5 to 11) were deleted" in found.why
    assert found.earliest == Position(ID, 12)
    assert found.certain


def test_past_the_end_a_new_incarnation_begins_once_it_is_certain() -> None:
    found = judge(Position(ID, 50), ID, 0, 20)
    assert isinstance(found, Trouble)
    assert not found.certain
    assert found.earliest == Position(f"{ID}.2", 0)
    again = judge(Position(f"{ID}.2", 50), ID, 0, 20)
    assert isinstance(again, Trouble)
    assert again.latest == Position(f"{ID}.3", 20)


def test_another_topic_id_is_another_topic_even_if_the_offset_exists() -> None:
    found = judge(Position(f"{ID}.2", 5), OTHER, 0, 20)
    assert isinstance(found, Trouble)
    assert found.certain
    assert found.earliest == Position(OTHER, 0)


def test_an_id_is_adopted_when_a_broker_begins_to_tell_it() -> None:
    assert judge(Position(NAMELESS, 5), ID, 0, 20) == Position(ID, 5)
    assert judge(Position(f"{NAMELESS}.2", 5), ID, 0, 20) == Position(f"{ID}.2", 5)


def test_an_id_is_kept_when_a_broker_does_not_tell_it_any_more() -> None:
    assert judge(Position(ID, 5), None, 0, 20) == Position(ID, 5)
