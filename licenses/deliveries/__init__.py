"""What `licenses` does with its outbox messages once they are claimed."""
