"""The report's sentences on personal data: the columns declared personal, and the features computed from them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

#: Feature columns that a sentence names.
_NAMED = 4


def personal_words(
    personal: Mapping[str, Sequence[str]],
    entity: str,
    keys: Sequence[str],
    personal_keys: Collection[str],
    protected: Collection[str] = (),
    published: Collection[str] = (),
) -> list[str]:
    """Return the sentences; `personal` maps each column declared personal to the feature columns computed from it.

    `protected` are those of them that the section on fairness alone compares, `published` the columns that stand on the
    list because the bank declares them so.
    """
    values = {
        column: made
        for column, made in personal.items()
        if column not in {*protected, *published} and column.rpartition(".")[2] not in personal_keys
    }
    unread = [column for column, made in values.items() if not made]
    sentences = [] if personal else ["No source declares a column of personal data."]
    if protected:
        sentences.append(f"Protected, and read for the section on fairness alone: {', '.join(protected)}.")
    if published:
        sentences.append(f"On the list, not on this page, because the bank publishes them: {', '.join(published)}.")
    if unread:
        sentences.append(f"Declared personal, and in no feature, list or page: {', '.join(unread)}.")
    sentences += [
        f"{column} is declared personal too; {_named(made)} {'is' if len(made) == 1 else 'are'} made of it, and may "
        "stand in reasons and segments. Its own values are in no list or page."
        for column, made in values.items()
        if made
    ]
    alone = "" if published else " alone"
    named = f"The list names {entity}s by {', '.join(keys)}{alone}"
    hidden = [key for key in keys if key in personal_keys]
    if hidden:
        are, them = ("is", "it") if len(hidden) == 1 else ("are", "them")
        summary = f"{', '.join(hidden)} {are} declared personal: the list has {them}, this page shows only the shape"
        return [*sentences, f"{named}. Of these, {summary}."]
    return [*sentences, f"{named}."]


def _named(made: Sequence[str]) -> str:
    """The features in words; the label is called so."""
    names = ["the label" if name == "churned" else name for name in made]
    rest = len(names) - _NAMED
    if rest > 0:
        return f"{', '.join(names[:_NAMED])} and {rest} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
