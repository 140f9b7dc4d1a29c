"""Numbers as people say them."""

import pytest

from kernel.spoken import spoken_count

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("number", "said"), [(1, "一"), (2, "两"), (3, "三"), (10, "十"), (11, "十一"), (12, "十二")]
)
def test_a_count_before_its_measure_word(number: int, said: str) -> None:
    assert spoken_count(number) == said
