"""The quality page as it is kept beside the report: written by the report, and by whatever run changes or stops it."""

from __future__ import annotations

from contextlib import suppress

from tenure.catalog.quality import quality
from tenure.errors import TenureError
from tenure.publish.quality import Quality, quality_page
from tenure.session.work import Work
from tenure.storage.location import make_folder, write_whole

PAGE = "quality.html"

#: The stages that the page tells of.
SHOWN = ("staging", "reconcile", "drift")


def write_quality_page(work: Work, found: Quality | None = None) -> None:
    """Write quality.html, in one step, unless it says the same already."""
    page = work.output / PAGE
    content = quality_page(work.project.name, found or quality(work)).encode()
    if not page.is_file() or page.read_bytes() != content:
        make_folder(page.parent)
        write_whole(page, content)


def refresh_quality_page(work: Work, *, is_stopped: bool) -> None:
    """Write quality.html anew after a stage that it tells of, if it is there already or the stage was stopped.

    A page that can't be written stops no run, and hides no error: the report writes it again, or says why it can't.
    """
    with suppress(TenureError, OSError):
        if is_stopped or (work.output / PAGE).is_file():
            write_quality_page(work)
