"""What `programs` does with its outbox messages once they are claimed."""
