"""Pages of requests: a learner's own, and those of a customer's administrators."""
