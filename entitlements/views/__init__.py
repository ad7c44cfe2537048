"""Pages of entitlements: a learner's own."""
