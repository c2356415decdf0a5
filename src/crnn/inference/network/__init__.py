"""The packed network, and the protocol of all networks."""
