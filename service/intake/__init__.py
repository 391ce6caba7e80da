"""From the socket to the journal, one module a step, in one order, with no way back."""
