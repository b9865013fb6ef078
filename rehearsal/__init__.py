"""The embedded account: an emulated AWS API with real hosts, networks and load balancers behind it."""
