//! Speed is measured here and never asserted by a timer in a test: `make bench` prints the figures.
