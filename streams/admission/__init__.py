"""Admission: messages in gateways' inboxes are forwarded to the topic of readings, or rejected with a reason."""
