"""Where records come from: Faust and Kafka, nothing else."""
