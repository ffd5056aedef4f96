//! One list of cases a port.
