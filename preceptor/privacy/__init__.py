"""What a privacy officer needs of a data set: who looked at which document, what the risk is, who answers for it."""

SAMPLE = 50  # documents drawn for the miss rate; none with a miss among them bounds the share with one at 7 % (95 % interval)
