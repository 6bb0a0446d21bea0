"""Fine-tuning: recipes, jobs, and the process that trains."""

VERSION = "2"
