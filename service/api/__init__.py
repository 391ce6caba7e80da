"""The two HTTP applications: the public one takes alerts, the operator's shows and steers."""
