"""Files as people hand them over: what kind they are, how their text is encoded, what their words mean."""

from analytics.domain.spelling import code_key, is_blank, plain, tidy, word_key
from ingest.files.opening import DAMAGED, Content, Kind, UnreadableFile, contents

__all__ = [
    "DAMAGED",
    "Content",
    "Kind",
    "UnreadableFile",
    "code_key",
    "contents",
    "is_blank",
    "plain",
    "tidy",
    "word_key",
]
