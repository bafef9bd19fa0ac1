"""Alerts in the database: raised in one transaction with their messages, sent by another process, and answered."""
