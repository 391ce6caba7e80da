"""Where orders go: the Exchange protocol and what implements it."""
