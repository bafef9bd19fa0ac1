"""Admission: what gateways put into their inboxes goes on to the topic of readings, or is refused with a reason."""
