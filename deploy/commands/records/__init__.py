"""Commands about what is stored: readings taken out again, a period worked out again."""
