"""From the journal to the exchange and back: executor, reconciler, follower."""
