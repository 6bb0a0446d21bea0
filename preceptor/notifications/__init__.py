"""Telling people what became of model versions: messages from the record, over webhooks and e-mail. Green: no text, no reason."""
