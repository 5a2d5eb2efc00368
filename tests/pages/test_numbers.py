"""Numbers as a person reads them."""

import math

import pytest

from tests.optional import Lazy, needs

pytestmark = needs("jinja2")
templating = Lazy("cli.pages.templating")


@pytest.mark.parametrize(
    "value, shown",
    [(None, ""), (12345, "12,345"), (0.61312, "0.6131"), (12345.0, "12,345"), (1e308, "1e+308"), (math.inf, "inf")],
)
def test_a_number_is_short(value, shown):
    assert templating.number(value) == shown
