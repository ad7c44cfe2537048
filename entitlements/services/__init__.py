"""Writes of `entitlements`: the only code that changes entitlements, their uses and refunds."""
