"""What TypeScript knows of the views' traits."""

from tests.views import traits


def test_the_declarations_are_those_of_the_traits():
    written = traits.FILE.read_text("utf-8")
    assert written == traits.declared(), "run python -m tests.views.traits"
