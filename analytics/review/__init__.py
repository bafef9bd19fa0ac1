"""What a metering authority and an enterprise do on paper: certificates, reviews of the year, self-checks."""
