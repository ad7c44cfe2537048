"""What `entitlements` does with its outbox messages once they are claimed."""
