"""The pipeline as Dagster sees it: definitions, jobs, checks, sensors, schedules."""
