"""Who may come in, and who did: gateways and their units, logins and refusals."""
