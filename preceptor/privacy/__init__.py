"""What a privacy officer needs of a data set: who looked at which document, what the risk is, who answers for it."""
