"""Columns of cells made comparable: width, blanks, invisible letters and formula marks, as `ingest.files.tidy` does."""

from typing import Any

import pyarrow as pa
import pyarrow.compute

from analytics.domain.spelling import BLANK_PATTERN, INVISIBLE, tidy

__all__ = ["mapped", "number_cells", "tidied"]

Column = Any
_compute: Any = pyarrow.compute


def tidied(column: Column) -> Column:
    """Texts folded in width without what nobody sees, null where empty."""
    if not _compute.all(_compute.string_is_ascii(column)).as_py():
        column = _compute.utf8_normalize(column, form="NFKC")
        column = _compute.replace_substring_regex(column, INVISIBLE, "")
    text = _compute.utf8_trim_whitespace(column)
    if _compute.any(_compute.starts_with(text, "=")).as_py():
        text = _compute.replace_substring_regex(text, r'^="(.*)"$', r"\1")
    if _compute.any(_compute.starts_with(text, "'")).as_py():
        text = _compute.replace_substring_regex(text, r"^'\s*", "")
    return _compute.if_else(_compute.equal(text, ""), None, text)


def number_cells(column: Column) -> Column:
    """The same, null also where a cell holds one of the words for nothing."""
    text = tidied(column)
    try:
        text.cast(pa.float64())
    except pa.ArrowInvalid:
        return _without_blanks(text)
    if _compute.any(_compute.match_substring_regex(text, "(?i)nan")).as_py():
        return _without_blanks(text)
    return text


def _without_blanks(text: Column) -> Column:
    blank = _compute.match_substring_regex(text, BLANK_PATTERN).fill_null(True)
    return _compute.if_else(blank, None, text)


def mapped(column: Column, change: Any = tidy) -> Column:
    """Column in which each distinct text is changed once; null where nothing is left."""
    encoded = column.dictionary_encode()
    changed = [None if text is None else change(text) or None for text in encoded.dictionary.to_pylist()]
    return pa.array(changed, pa.string()).take(encoded.indices)
