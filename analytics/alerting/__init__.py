"""From what is found to who is notified: rules, the life of an alert, what a recipient gets, and the case to its end.

All of it is pure: a state and an event give a state and messages, and the time is an argument. Stores, channels and
the wall clock are in `streams.alerts`.
"""
