"""The boards in a Grafana: what should be there, what is, and the steps from one to the other."""
