"""One serializer for everybody says what one of each reader's own would say."""

import pytest
from rest_framework import serializers

from ledger.rest import RaoField
from ledger.rest.shapes import given, told


class Asked(serializers.Serializer):
    max_rao = RaoField(min_rao=1)
    note = serializers.CharField(required=False, max_length=5)


@pytest.mark.parametrize(
    "data", [None, [], "words", {}, {"max_rao": 5}, {"max_rao": "0", "note": "too long"}]
)
def test_what_is_refused_is_refused_in_the_same_words(data):
    own = Asked(data=data)
    assert not own.is_valid()

    with pytest.raises(serializers.ValidationError) as refused:
        given(Asked, data)

    assert refused.value.detail == own.errors


def test_nothing_of_one_reader_is_left_for_the_next():
    assert given(Asked, {"max_rao": "7", "note": "one"}) == {"max_rao": 7, "note": "one"}
    with pytest.raises(serializers.ValidationError):
        given(Asked, {"max_rao": "much"})

    assert given(Asked, {"max_rao": "8"}) == {"max_rao": 8}
    assert told(Asked, {"max_rao": 9, "note": "two"}) == {"max_rao": "9", "note": "two"}
