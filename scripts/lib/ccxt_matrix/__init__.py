"""Every fault by every ccxt class that can place orders: what our adapter makes of it, held against what was done."""
