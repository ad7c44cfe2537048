"""What `subsidy_requests` does with its outbox messages once they are claimed."""
