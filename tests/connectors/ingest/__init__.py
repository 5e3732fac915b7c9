"""The long tail, against stand-ins that speak the services' HTTP behind a proxy on loopback."""
