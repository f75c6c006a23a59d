"""The peers that the built program talks to in end-to-end tests and in the demo, all on loopback."""
