"""What supervision keeps of people's work: certificates, reviews, self-checks, filled gaps."""
