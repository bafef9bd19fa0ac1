"""Tests of what people read: guides, scores, and one home for a concept."""
