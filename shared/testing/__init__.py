"""What tests of every service share: fakes that pass the same suites as the real things, and real servers."""
