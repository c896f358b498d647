"""Pages: the templates of what is published, and how numbers and days are written on them."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from tenure.publish import words


def pages() -> Environment:
    """Return the templates; whatever they are given is escaped, and what they are not given is refused."""
    found = Environment(
        loader=PackageLoader("tenure", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(
        share=words.share, whole=words.whole, decimal=words.decimal, seconds=words.seconds, day=words.day,
        count_word=words.count_word, money=words.money, minute=words.minute, plural=words.plural,
    )  # fmt: skip
    return found
