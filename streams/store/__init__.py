"""The store: fence, COPY, upserts and the views others read."""
