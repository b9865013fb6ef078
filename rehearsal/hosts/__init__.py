"""The hosts of the emulated accounts: one podman container with systemd for every running instance."""
