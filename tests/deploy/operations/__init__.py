"""Tests of `deploy.operations`."""
