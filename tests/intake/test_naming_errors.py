"""An error of raw data says which source it stops."""

import pytest

from tenure import Column, Csv, Source
from tenure.errors import EngineError, UnreadableFile
from tenure.intake.naming_errors import columns_in_words, named_in_errors

COLUMNS = [Column("payment_id"), Column("paid_on", type="date", role="time")]
PAYMENTS = Source("payments", read=Csv("p.csv"), key="payment_id", event_time="paid_on", columns=COLUMNS)


@pytest.mark.parametrize("said", ["p.csv, line 3: 2 fields", "source 'payments': p.csv, line 3: 2 fields"])
def test_a_source_is_named_once(said):
    with pytest.raises(UnreadableFile) as raised, named_in_errors(PAYMENTS):
        raise UnreadableFile(said, hint="Fix it.")
    assert raised.value.message == str(raised.value) == "source 'payments': p.csv, line 3: 2 fields"
    assert raised.value.hint == "Fix it."


def test_an_error_of_the_engine_is_left_as_it_is():
    with pytest.raises(EngineError, match=r"^no room$"), named_in_errors(PAYMENTS):
        raise EngineError("no room")


def test_columns_are_named_in_quotes():
    assert columns_in_words(["a"]) == "column 'a'"
    assert columns_in_words(["a", "b"]) == "columns 'a', 'b'"
