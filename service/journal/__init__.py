"""What is known of every order, on disk before anything is said or sent."""
