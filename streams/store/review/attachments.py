"""Files that people attach: photos and documents, known by their first bytes."""

from typing import Final

__all__ = ["LARGEST_FILE", "media_type"]

LARGEST_FILE: Final = 20 * 2**20
"""A photo or a document may have so many bytes."""
_MAGIC: Final = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"%PDF-": "application/pdf",
}


def media_type(content: bytes) -> str | None:
    """JPEG, PNG or PDF by its first bytes, None for anything else.

    Examples
    --------
    >>> media_type(b"%PDF-1.7 ..."), media_type(b"MZ")
    ('application/pdf', None)
    """
    return next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), None)
